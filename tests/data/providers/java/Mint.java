import com.auth0.jwt.JWT;
import com.auth0.jwt.JWTCreator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.Ed25519Signer;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.crypto.bc.BouncyCastleProviderSingleton;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.OctetKeyPair;
import com.nimbusds.jose.jwk.OctetSequenceKey;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.OctetKeyPairGenerator;
import com.nimbusds.jose.jwk.gen.OctetSequenceKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import io.jsonwebtoken.Jwts;
import io.jsonwebtoken.security.Jwks;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Prints tokens and keys of Java's JWT libraries as JSON: one entry for each library.
 *
 * <p>Each signs with keys of its own that end with this process, writes dates from a {@link Date}, and
 * exports its public keys by its own means. See tests/providers.rs for what is asked.
 */
public final class Mint {
    interface Library {
        String sign(Map<String, Object> claims, Map<String, String> header, String algorithm) throws Exception;
    }

    interface Export {
        Object jwk(String key) throws Exception;
    }

    static final long NOW = Instant.now().getEpochSecond();
    static final Map<String, JWK> KEYS = new TreeMap<>();
    static KeyPair ed25519;

    static Date at(long seconds) {
        // Half a second more, which a date of the JVM has and most libraries cut.
        return new Date((NOW + seconds) * 1000 + 500);
    }

    static String keyOf(String algorithm) {
        return switch (algorithm) {
            case "ES256" -> "p256";
            case "ES384" -> "p384";
            case "ES512" -> "p521";
            case "ES256K" -> "secp256k1";
            case "EdDSA", "Ed25519" -> "ed25519";
            case "HS256", "HS384", "HS512" -> "secret";
            default -> "rsa";
        };
    }

    /** Good claims with one changed, or left out where the value is null. */
    static Map<String, Object> base(Object... changes) {
        Map<String, Object> claims = new LinkedHashMap<>();
        claims.put("iss", "https://issuer.test");
        claims.put("aud", "api");
        claims.put("sub", "user-1");
        claims.put("exp", at(3600));
        for (int i = 0; i < changes.length; i += 2) {
            claims.put((String) changes[i], changes[i + 1]);
        }
        claims.values().removeIf(value -> value == null);
        return claims;
    }

    static Map<String, Map<String, Object>> forms() {
        Map<String, Map<String, Object>> forms = new LinkedHashMap<>();
        forms.put("default", base());
        forms.put("dates", base("iat", at(0), "nbf", at(0), "jti", "0123"));
        forms.put("aud_list", base("aud", List.of("other", "api")));
        forms.put("zero_nbf", base("nbf", new Date(0), "iat", new Date(0)));
        forms.put("unicode", base("sub", "Zoë ☃ 🜁", "name", "Ærø\u2028"));
        forms.put("expired", base("exp", at(-3600)));
        forms.put("early", base("nbf", at(3600)));
        forms.put("issued_later", base("iat", at(3600)));
        forms.put("wrong_audience", base("aud", "other"));
        forms.put("wrong_issuer", base("iss", "https://issuer.test/"));
        forms.put("no_exp", base("exp", null));
        return forms;
    }

    static Map<String, Object> table(
            String library, String artifact, List<String> algorithms, Library signer, Export export)
            throws Exception {
        List<Map<String, String>> tokens = new ArrayList<>();
        Map<String, Object> keys = new TreeMap<>();
        for (String algorithm : algorithms) {
            String key = keyOf(algorithm);
            Map<String, String> kid = Map.of("kid", key);
            for (var form : forms().entrySet()) {
                add(tokens, library, signer, form.getKey(), algorithm, form.getValue(), kid);
            }
            add(tokens, library, signer, "no_kid", algorithm, base(), Map.of());
            Map<String, String> typed = Map.of("kid", key, "typ", "at+jwt");
            add(tokens, library, signer, "typ_at", algorithm, base(), typed);
            keys.put(key, export.jwk(key));
        }
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("library", library);
        entry.put("version", version(artifact));
        entry.put("now", NOW);
        entry.put("keys", keys);
        entry.put("tokens", tokens);
        return entry;
    }

    static void add(
            List<Map<String, String>> tokens, String library, Library signer, String form,
            String algorithm, Map<String, Object> claims, Map<String, String> header) {
        try {
            String token = signer.sign(claims, header, algorithm);
            tokens.add(
                    Map.of("form", form, "algorithm", algorithm, "key", keyOf(algorithm), "token", token));
        } catch (Exception error) {
            System.err.println(library + ": " + form + " " + algorithm + ": " + error);
        }
    }

    /** The version in the name of the library's archive on the class path. */
    static String version(String artifact) {
        for (String path : System.getProperty("java.class.path").split(":")) {
            String name = path.substring(path.lastIndexOf('/') + 1);
            if (name.startsWith(artifact + "-")) {
                return name.substring(artifact.length() + 1, name.length() - ".jar".length());
            }
        }
        throw new IllegalStateException(artifact);
    }

    static PrivateKey privateKey(String name) throws Exception {
        return switch (name) {
            case "rsa" -> KEYS.get(name).toRSAKey().toPrivateKey();
            case "ed25519" -> ed25519.getPrivate();
            default -> KEYS.get(name).toECKey().toPrivateKey();
        };
    }

    static String nimbus(Map<String, Object> claims, Map<String, String> header, String algorithm)
            throws Exception {
        JWK key = KEYS.get(keyOf(algorithm));
        JWSSigner signer =
                switch (keyOf(algorithm)) {
                    case "rsa" -> new RSASSASigner(key.toRSAKey());
                    case "secret" -> new MACSigner(key.toOctetSequenceKey());
                    case "ed25519" -> new Ed25519Signer(key.toOctetKeyPair());
                    default -> new ECDSASigner(key.toECKey());
                };
        signer.getJCAContext().setProvider(BouncyCastleProviderSingleton.getInstance());
        JWSHeader.Builder head = new JWSHeader.Builder(JWSAlgorithm.parse(algorithm));
        head.keyID(header.get("kid"));
        if (header.get("typ") != null) {
            head.type(new JOSEObjectType(header.get("typ")));
        }
        JWTClaimsSet.Builder set = new JWTClaimsSet.Builder();
        claims.forEach(set::claim);
        SignedJWT token = new SignedJWT(head.build(), set.build());
        token.sign(signer);
        return token.serialize();
    }

    @SuppressWarnings("unchecked")
    static String jjwt(Map<String, Object> claims, Map<String, String> header, String algorithm)
            throws Exception {
        var builder = Jwts.builder();
        for (var member : header.entrySet()) {
            builder.header().add(member.getKey(), member.getValue());
        }
        for (var claim : claims.entrySet()) {
            if (claim.getKey().equals("aud") && claim.getValue() instanceof Collection<?> list) {
                builder.audience().add((Collection<String>) list);
            } else if (claim.getKey().equals("aud")) {
                builder.audience().add((String) claim.getValue());
            } else {
                builder.claim(claim.getKey(), claim.getValue());
            }
        }
        String name = keyOf(algorithm);
        if (name.equals("secret")) {
            var key = KEYS.get(name).toOctetSequenceKey().toSecretKey("HmacSHA512");
            return builder.signWith(key, (io.jsonwebtoken.security.MacAlgorithm) Jwts.SIG.get().forKey(algorithm)).compact();
        }
        var method =
                (io.jsonwebtoken.security.SignatureAlgorithm) Jwts.SIG.get().forKey(algorithm);
        return builder.signWith(privateKey(name), method).compact();
    }

    static Object jjwtKey(String name) throws Exception {
        if (name.equals("secret")) {
            return nimbusKey(name);
        }
        var key =
                switch (name) {
                    case "rsa" -> KEYS.get(name).toRSAKey().toPublicKey();
                    case "ed25519" -> ed25519.getPublic();
                    default -> KEYS.get(name).toECKey().toPublicKey();
                };
        return new HashMap<>(Jwks.builder().key((java.security.PublicKey) key).id(name).build());
    }

    static String auth0(Map<String, Object> claims, Map<String, String> header, String algorithm)
            throws Exception {
        Map<String, Object> head = new HashMap<>(header);
        JWTCreator.Builder builder = JWT.create().withHeader(head);
        for (var claim : claims.entrySet()) {
            if (claim.getValue() instanceof Date date) {
                builder.withClaim(claim.getKey(), date);
            } else if (claim.getValue() instanceof List<?> list) {
                builder.withAudience(list.toArray(String[]::new));
            } else {
                builder.withClaim(claim.getKey(), claim.getValue().toString());
            }
        }
        JWK key = KEYS.get(keyOf(algorithm));
        var method =
                switch (algorithm) {
                    case "RS256" -> com.auth0.jwt.algorithms.Algorithm.RSA256(null, key.toRSAKey().toRSAPrivateKey());
                    case "RS384" -> com.auth0.jwt.algorithms.Algorithm.RSA384(null, key.toRSAKey().toRSAPrivateKey());
                    case "RS512" -> com.auth0.jwt.algorithms.Algorithm.RSA512(null, key.toRSAKey().toRSAPrivateKey());
                    case "ES256" -> com.auth0.jwt.algorithms.Algorithm.ECDSA256(null, key.toECKey().toECPrivateKey());
                    case "ES384" -> com.auth0.jwt.algorithms.Algorithm.ECDSA384(null, key.toECKey().toECPrivateKey());
                    case "ES512" -> com.auth0.jwt.algorithms.Algorithm.ECDSA512(null, key.toECKey().toECPrivateKey());
                    case "HS256" -> com.auth0.jwt.algorithms.Algorithm.HMAC256(key.toOctetSequenceKey().toByteArray());
                    case "HS384" -> com.auth0.jwt.algorithms.Algorithm.HMAC384(key.toOctetSequenceKey().toByteArray());
                    default -> com.auth0.jwt.algorithms.Algorithm.HMAC512(key.toOctetSequenceKey().toByteArray());
                };
        return builder.sign(method);
    }

    static Object nimbusKey(String name) {
        JWK key = KEYS.get(name);
        return (name.equals("secret") ? key : key.toPublicJWK()).toJSONObject();
    }

    public static void main(String[] arguments) throws Exception {
        var provider = BouncyCastleProviderSingleton.getInstance();
        KEYS.put("rsa", new RSAKeyGenerator(2048).keyID("rsa").keyUse(KeyUse.SIGNATURE).generate());
        for (var curve : Map.of("p256", Curve.P_256, "p384", Curve.P_384, "p521", Curve.P_521, "secp256k1", Curve.SECP256K1).entrySet()) {
            var generator = new ECKeyGenerator(curve.getValue()).provider(provider);
            KEYS.put(curve.getKey(), generator.keyID(curve.getKey()).generate());
        }
        KEYS.put("ed25519", new OctetKeyPairGenerator(Curve.Ed25519).keyID("ed25519").generate());
        KEYS.put("secret", new OctetSequenceKeyGenerator(512).keyID("secret").generate());
        ed25519 = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
        List<String> rsa = List.of("RS256", "RS384", "RS512", "PS256", "PS384", "PS512");
        List<String> ecdsa = List.of("ES256", "ES384", "ES512");
        List<String> hmac = List.of("HS256", "HS384", "HS512");
        List<String> common = new ArrayList<>(rsa);
        common.addAll(ecdsa);
        common.addAll(hmac);
        common.add("EdDSA");
        List<String> nimbus = new ArrayList<>(common);
        nimbus.addAll(List.of("ES256K", "Ed25519"));
        List<String> auth0 = new ArrayList<>(rsa.subList(0, 3));
        auth0.addAll(ecdsa);
        auth0.addAll(hmac);
        var made = List.of(
                table("nimbus-jose-jwt", "nimbus-jose-jwt", nimbus, Mint::nimbus, Mint::nimbusKey),
                table("jjwt", "jjwt-api", common, Mint::jjwt, Mint::jjwtKey),
                // It exports no keys: those of Nimbus stand for them.
                table("java-jwt", "java-jwt", auth0, Mint::auth0, Mint::nimbusKey));
        System.out.println(new ObjectMapper().writeValueAsString(made));
    }
}
