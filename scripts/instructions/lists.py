"""The lists of a configuration, each with `n` entries of which the request uses the last one."""

from dataclasses import dataclass, field

from traffic import AUDIENCE, CLAIMS, ISSUER, document

GROUPS = [f"aaaaaaaa-0000-0000-0000-{n:012}" for n in range(200)]


@dataclass
class Case:
    """A configuration and the request that is measured."""

    document: dict
    headers: dict = field(default_factory=dict)
    claims: dict = field(default_factory=dict)
    # Headers of requests that come before.
    before: list = field(default_factory=list)
    body: bytes = b""


def rules(n, match, request, last=None):
    """`n` rules, of which the last one matches."""
    listed = [{"name": f"r{i}", "match": match(i), "limits": ["per-caller"]} for i in range(1, n)]
    last = {"name": "score", "match": match(0) if last is None else last, "limits": ["per-caller"]}
    return Case(document(rules=listed + [last]), request)


def rule(match, request, **members):
    """One rule with long lists."""
    return Case(document(rules=[{"name": "score", "match": match, "limits": ["per-caller"]} | members]), request)


def last(n, text):
    """`n` texts, of which the last one has the number 0."""
    return [text(i) for i in [*range(1, n), 0]]


def provider(**members):
    whole = document()
    whole["providers"][0] |= members
    return whole


def providers(n, others):
    whole = document()
    whole["providers"] = [whole["providers"][0] | {"name": f"p{i}"} | others(i) for i in range(1, n)] + whole["providers"]
    return whole


def allow(entries, claims):
    return Case(document(rules=[{"name": "score", "limits": ["per-caller"], "allow": entries}]), claims=claims)


def limit(claims=None, **members):
    whole = document()
    whole["limits"][0] |= members
    return Case(whole, claims=claims or {})


def responses(headers=None, **members):
    return Case(document(responses=members), headers or {})


def resource(i, **members):
    return {"url": f"https://ml.example.com/.well-known/oauth-protected-resource/m{i}"} | members


def group_tiers(n):
    return [
        {"when": {"groups_any": [group]}, "rate": f"{100_000 + i}/s", "burst": 1_000_000} for i, group in enumerate(wanted(n))
    ]


def wanted(n):
    """Groups of which a token with `GROUPS` has the last one alone."""
    return [f"bbbbbbbb-0000-0000-0000-{i:012}" for i in range(1, n)] + [GROUPS[100]]


def used_rules(n):
    case = rules(n, lambda i: {"paths": [f"/r{i}/score"]}, {":path": "/r0/score"})
    case.before = [{":path": f"/r{i}/score"} for i in range(1, n)]
    return case


def used_limits(n):
    whole = document(
        rules=[{"name": f"r{i}", "match": {"paths": [f"/r{i}/score"]}, "limits": [f"l{i}"]} for i in range(n)],
        limits=[{"name": f"l{i}", "rate": "100000/s", "burst": 1_000_000} for i in range(n)],
    )
    return Case(whole, {":path": "/r0/score"}, before=[{":path": f"/r{i}/score"} for i in range(1, n)])


def guarded(payload, **members):
    case = rule({"methods": ["POST"]}, {"content-type": "application/json"}, payload=payload, **members)
    case.body = b'{"model": "m0", "messages": []}'
    return case


def price(n):
    case = guarded({"max_depth": 9})
    case.document["limits"][0]["price"] = {"json": "/model", "of": {f"m{i}": 2 for i in [*range(1, n), 0]}, "default": 1}
    return case


LISTS = {
    "rules: by path": lambda n: rules(n, lambda i: {"paths": [f"/r{i}/score"]}, {":path": "/r0/score"}),
    "rules: by path below": lambda n: rules(n, lambda i: {"paths": [f"/r{i}/**"]}, {":path": "/r0/a/b"}),
    "rules: by the end of a segment": lambda n: rules(
        n, lambda i: {"paths": [f"/v1/models/*:r{i}"]}, {":path": "/v1/models/m:r0"}
    ),
    "rules: by the beginning of a segment": lambda n: rules(
        n, lambda i: {"paths": [f"/v1/models/r{i}-*"]}, {":path": "/v1/models/r0-x"}
    ),
    "rules: by path, ignoring case": lambda n: rules(
        n, lambda i: {"paths": [f"/r{i}/score"], "ignore_case": True}, {":path": "/R0/score"}
    ),
    "rules: by the tenth segment": lambda n: rules(
        n, lambda i: {"paths": [f"/a/a/a/a/a/a/a/a/a/r{i}"]}, {":path": "/a/a/a/a/a/a/a/a/a/r0"}
    ),
    "rules: by host": lambda n: rules(n, lambda i: {"hosts": [f"r{i}.test"]}, {":authority": "r0.test"}),
    "rules: by the end of a host": lambda n: rules(
        n, lambda i: {"hosts": [f"*.r{i}.test"]}, {":authority": "a.r0.test"}
    ),
    "rules: by method": lambda n: rules(n, lambda i: {"methods": [f"M{i}"]}, {":method": "M0"}),
    "rules: by the value of a header": lambda n: rules(n, lambda i: {"headers": {"x-d": f"r{i}"}}, {"x-d": "r0"}),
    "rules: by two headers": lambda n: rules(
        n, lambda i: {"headers": {"x-d": f"r{i % 100}", "x-e": f"e{i // 100}"}}, {"x-d": "r0", "x-e": "e0"}
    ),
    "rules: by the presence of a header": lambda n: rules(n, lambda i: {"headers": {f"x-{i}": "*"}}, {"x-0": "a"}),
    "rules: by path and header": lambda n: rules(
        n, lambda i: {"paths": ["/score"], "headers": {"x-d": f"r{i}"}}, {"x-d": "r0"}
    ),
    "rules: by path, all with a request": used_rules,
    "rules: by path, with histograms": lambda n: Case(
        used_rules(n).document | {"telemetry": {"histograms": True}}, {":path": "/r0/score"}
    ),
    "one rule: paths": lambda n: rule({"paths": last(n, lambda i: f"/r{i}/score")}, {":path": "/r0/score"}),
    "one rule: named paths": lambda n: rule(
        {"paths": last(n, lambda i: f"/r{i}/{{model}}")}, {":path": "/r0/m"}
    ),
    "one rule: hosts": lambda n: rule({"hosts": last(n, lambda i: f"r{i}.test")}, {":authority": "r0.test"}),
    "one rule: ends of hosts": lambda n: rule({"hosts": last(n, lambda i: f"*.r{i}.test")}, {":authority": "a.r0.test"}),
    "one rule: methods": lambda n: rule({"methods": last(n, lambda i: f"M{i}")}, {":method": "M0"}),
    "one rule: providers": lambda n: Case(
        providers(n, lambda i: {"issuers": [f"https://p{i}"]})
        | {"rules": [{"name": "score", "providers": [*(f"p{i}" for i in range(1, n)), "p"]}]}
    ),
    "providers: by issuer": lambda n: Case(providers(n, lambda i: {"issuers": [f"https://p{i}"]})),
    "providers: by tenant": lambda n: Case(
        providers(n, lambda i: {"issuers": ["https://login.example.com/{tenantid}/v2.0"], "tenants": [f"t{i}"]})
    ),
    "providers: one issuer, by audience": lambda n: Case(providers(n, lambda i: {"audiences": [f"api://{i}"]})),
    "one provider: issuers": lambda n: Case(provider(issuers=last(n, lambda i: f"https://p{i}" if i else ISSUER))),
    "one provider: issuers with a tenant": lambda n: Case(
        provider(issuers=last(n, lambda i: f"https://p{i}/{{tenantid}}"), tenants="any"), claims={"iss": "https://p0/t"}
    ),
    "one provider: tenants": lambda n: Case(
        provider(issuers=["https://p/{tenantid}"], tenants=last(n, lambda i: f"t{i}")), claims={"iss": "https://p/t0"}
    ),
    "one provider: audiences": lambda n: Case(provider(audiences=last(n, lambda i: f"api://{i}" if i else AUDIENCE))),
    "one provider: types": lambda n: Case(provider(typ=last(n, lambda i: f"t{i}" if i else "JWT"))),
    "one provider: identities": lambda n: Case(provider(identity=last(n, lambda i: f"{{c{i}}}" if i else "{sub}"))),
    "token: places": lambda n: Case(
        document(token={"from": last(n, lambda i: {"header": f"x-{i}"} if i else {"header": "authorization", "prefix": "Bearer "})})
    ),
    "token: cookies": lambda n: Case(
        document(token={"from": last(n, lambda i: {"cookie": f"c{i}"} if i else {"header": "authorization", "prefix": "Bearer "})}),
        {"cookie": "a=b; c=d"},
    ),
    "allow: groups of 200": lambda n: allow([{"groups_any": [group]} for group in wanted(n)], {"groups": GROUPS}),
    "allow: groups in one entry": lambda n: allow([{"groups_any": wanted(n)}], {"groups": GROUPS}),
    "allow: roles": lambda n: allow([{"roles_any": [role]} for role in last(n, lambda i: f"r{i}")], {"roles": ["r0"]}),
    "allow: scopes": lambda n: allow([{"scopes_all": [s]} for s in last(n, lambda i: f"s{i}")], {"scp": "s0"}),
    "allow: clients": lambda n: allow([{"clients": last(n, lambda i: f"c{i}")}], {"azp": "c0"}),
    "allow: clients by entry": lambda n: allow([{"clients": [c]} for c in last(n, lambda i: f"c{i}")], {"azp": "c0"}),
    "allow: actors": lambda n: allow([{"actors_any": last(n, lambda i: f"c{i}")}], {"act": {"sub": "c0"}}),
    "allow: values of a claim": lambda n: allow(
        [{"claims": [{"claim": "d", "any_of": last(n, lambda i: f"v{i}")}]}], {"d": "v0"}
    ),
    "allow: claims by entry": lambda n: allow(
        [{"claims": [{"claim": "d", "equals": v}]} for v in last(n, lambda i: f"v{i}")], {"d": "v0"}
    ),
    "tiers: by group": lambda n: limit({"groups": GROUPS}, tiers=group_tiers(n)),
    "limits: of other rules": lambda n: Case(
        document(limits=[{"name": f"l{i}", "rate": "1/s"} for i in range(1, n)] + document()["limits"])
    ),
    "limits: all with a request": used_limits,
    "prices": lambda n: price(n),
    "content types": lambda n: guarded({"content_types": last(n, lambda i: f"a/t{i}" if i else "application/json")}),
    "body: values": lambda n: guarded(
        {"max_depth": 9}, allow=[{"body": [{"json": "/model", "any_of": last(n, lambda i: f"m{i}")}]}]
    ),
    "tags without a value": lambda n: Case(
        document(tags=[{"name": f"t{i}", "value": f"{{c{i}}}", "header": f"x-auth-{i}"} for i in range(1, n)])
    ),
    "cors: origins": lambda n: responses(
        {"origin": "https://o0.test"}, cors={"allow_origins": last(n, lambda i: f"https://o{i}.test")}
    ),
    "resource_metadata: by path": lambda n: responses(
        {":path": "/m0"}, resource_metadata=last(n, lambda i: resource(i, resource=f"https://ml.example.com/m{i}", paths=[f"/m{i}"]))
    ),
    "resource_metadata: by host": lambda n: responses(
        {":authority": "r0.test"},
        resource_metadata=last(n, lambda i: {"url": f"https://r{i}.test/.well-known/oauth-protected-resource", "hosts": [f"r{i}.test"]}),
    ),
    "resource_metadata: a document": lambda n: responses(
        {":method": "GET", ":path": "/.well-known/oauth-protected-resource/m0"},
        resource_metadata=last(n, lambda i: resource(i, resource=f"https://ml.example.com/m{i}", paths=[f"/m{i}"])),
    ),
    "resource_metadata: a document by host": lambda n: responses(
        {":method": "GET", ":path": "/.well-known/oauth-protected-resource", ":authority": "r0.test"},
        resource_metadata=last(n, lambda i: {"url": f"https://r{i}.test/.well-known/oauth-protected-resource", "hosts": [f"r{i}.test"]}),
    ),
}


def without_lists(tags=None, limits=1):
    """The cases of the first table."""
    names = [f"l{i}" for i in range(limits)]
    whole = document(
        rules=[{"name": "score", "limits": names}],
        limits=[{"name": name, "rate": "100000/s", "burst": 1_000_000} for name in names],
    )
    return Case(whole | ({} if tags is None else {"tags": tags}))


def like_for_like():
    case = without_lists([{"name": "subject", "value": "{sub}", "header": "x-auth-subject"}])
    quiet = {"telemetry": {"filter_state": "off", "metrics": False}, "responses": {"ratelimit_headers": "off"}}
    case.document |= quiet
    return case


def claims(count, tags=None):
    """A token with so many claims, and with tags the last of them in headers."""
    more = [f"claim_{i:02}" for i in range(count - len(CLAIMS) - 1)]  # the `jti` is one, too
    case = without_lists()
    case.claims = {name: f"the value of {name}, as long as most of them are" for name in more}
    if tags:
        case.document["tags"] = [
            {"name": f"t{i}", "value": f"{{{name}}}", "header": f"x-t{i}"} for i, name in enumerate(more[-tags:])
        ]
    return case


CASES = {
    "like for like: one tag, one limit, no telemetry, no `RateLimit`": like_for_like,
    "defaults without a limit": lambda: without_lists(limits=0),
    "defaults with one limit": without_lists,
    "defaults with three limits": lambda: without_lists(limits=3),
    "defaults with one limit, a token of 23 claims": lambda: claims(23),
    "ten tags of claims, a token of 20 claims": lambda: claims(20, 10),
    "ten tags of claims, a token of 64 claims": lambda: claims(64, 10),
}
