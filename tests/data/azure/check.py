"""Prints what is wrong with the files of examples/azure/network, one finding a line.

Bicep: pycep parses the file, and each member of each resource must be one of Microsoft's model classes,
with a value of its type. Names must be declared. Expressions have no type here.
YAML: azure-ai-ml, on which the `ml` extension of the Azure CLI is built, loads the file.
"""

import enum
import re
import sys
import typing

import azure.mgmt.network.models as network
import azure.mgmt.privatedns.models as dns
import lark
import pycep

MODELS = {
    "azureFirewalls": network.AzureFirewall,
    "bastionHosts": network.BastionHost,
    "firewallPolicies": network.FirewallPolicy,
    "firewallPolicies/ruleCollectionGroups": network.FirewallPolicyRuleCollectionGroup,
    "networkSecurityGroups": network.NetworkSecurityGroup,
    "networkSecurityGroups/securityRules": network.SecurityRule,
    "privateDnsZones": dns.PrivateZone,
    "privateDnsZones/virtualNetworkLinks": dns.VirtualNetworkLink,
    "privateEndpoints": network.PrivateEndpoint,
    "privateEndpoints/privateDnsZoneGroups": network.PrivateDnsZoneGroup,
    "publicIPAddresses": network.PublicIPAddress,
    "routeTables": network.RouteTable,
    "virtualNetworks": network.VirtualNetwork,
}
# Members of a resource in Bicep that its model does not have.
OWN = {"parent", "dependsOn", "name", "location"}
FUNCTIONS = {"concat", "empty", "replace", "resourceGroup", "resourceId"}
WORDS = {"resource", "param", "var", "output", "string", "array", "bool", "int", "existing", "for", "in"}
WORDS |= {"true", "false", "null", "description"}


def members(model):
    """The members of a model by their names on the wire, each with its type."""
    package = sys.modules[model.__module__.rsplit(".", 1)[0]]
    scope = vars(sys.modules[model.__module__]) | {"_models": package}
    model({})  # a class knows its members after its first object
    fields = model._attr_to_rest_field
    hints = {}
    for parent in reversed(model.__mro__):
        for name, hint in vars(parent).get("__annotations__", {}).items():
            if name in fields:
                hints[name] = resolved(hint, scope)
    return {fields[name]._rest_name: hint for name, hint in hints.items()}, scope


def resolved(hint, scope):
    """The class that a name in an annotation stands for."""
    name = hint.__forward_arg__ if isinstance(hint, typing.ForwardRef) else hint
    return eval(name, scope) if isinstance(name, str) else name


def check(value, hint, scope, path):
    """What is wrong with a value of this type."""
    hint = resolved(hint, scope)
    arguments = typing.get_args(hint)
    if isinstance(value, dict) and ("operator" in value or "function" in value):
        return []
    if typing.get_origin(hint) is typing.Union:
        kinds = [resolved(a, scope) for a in arguments if a is not type(None)]
        enums = [k for k in kinds if isinstance(k, type) and issubclass(k, enum.Enum)]
        if enums:
            known = {member.value.lower() for member in enums[0]}
            return [] if str(value).lower() in known else [f"{path}: {value} is not one of {sorted(known)}"]
        return check(value, kinds[0], scope, path)
    if typing.get_origin(hint) is list:
        if isinstance(value, dict) and "loop_type" in value:
            return check(value["config"], arguments[0], scope, path)
        if not isinstance(value, list):
            return [f"{path}: {value} is no list"]
        return [f for i, item in enumerate(value) for f in check(item, arguments[0], scope, f"{path}[{i}]")]
    if hasattr(hint, "_attr_to_rest_field") or hasattr(hint, "_deserialize"):
        return check_object(value, hint, path)
    # pycep gives the text of an expression.
    fits = hint not in (bool, int) or type(value) in (hint, str)
    return [] if fits else [f"{path}: {value} is no {hint.__name__}"]


def check_object(value, model, path):
    """What is wrong with an object of this model."""
    if not isinstance(value, dict):
        return [f"{path}: {value} is no object"]
    for field, models in ((f, getattr(model, "__mapping__", {})) for f in ("ruleCollectionType", "ruleType")):
        if value.get(field) in models:
            model = models[value[field]]
    known, scope = members(model)
    found = []
    for name, item in value.items():
        if name in known:
            found += check(item, known[name], scope, f"{path}.{name}")
        else:
            found.append(f"{path}: {model.__name__} has no {name}")
    return found


def undeclared(text):
    """Names that nothing declares."""
    declared = set(re.findall(r"^(?:param|var|resource|output) (\w+)", text, re.M))
    declared |= {name for pair in re.findall(r"\[for \(?(\w+)(?:, (\w+)\))?", text) for name in pair}
    code = re.sub(r"//.*", "", text)
    inner = " ".join(re.findall(r"\$\{([^}]*)\}", code))
    code = re.sub(r"'[^'\n]*'", "", code) + " " + inner
    used = set(re.findall(r"(?<![\w.@])([A-Za-z_]\w*)\b(?!\s*[:\w(])", code))
    used |= {name for name in re.findall(r"(?<![\w.@])(\w+)\(", code) if name not in FUNCTIONS}
    return [f"{name} is not declared" for name in sorted(used - declared - WORDS)]


def bicep(text):
    found = undeclared(text)
    try:
        resources = pycep.BicepParser().parse(text=text)["resources"]
    except lark.exceptions.LarkError as error:
        return [*found, str(error).splitlines()[0]]
    for name, resource in resources.items():
        model = MODELS.get(resource["type"].removeprefix("Microsoft.Network/"))
        if model is None:
            found.append(f"{name}: no model for {resource['type']}")
            continue
        config = resource["config"]
        config = config.get("config", config) if "loop_type" in config else config
        found += check_object({k: v for k, v in config.items() if k not in OWN}, model, name)
    return found


def azure_ml(path, text):
    from azure.ai import ml

    loaders = {
        "workspace": ml.load_workspace,
        "managedOnlineEndpoint": ml.load_online_endpoint,
        "kubernetesOnlineEndpoint": ml.load_online_endpoint,
        "managedOnlineDeployment": ml.load_online_deployment,
        "kubernetesOnlineDeployment": ml.load_online_deployment,
    }
    kind = re.search(r"^\$schema: .*/(\w+)\.schema\.json$", text, re.M).group(1)
    try:
        loaders[kind](path)
    except Exception as error:  # its errors have no common class
        return [str(error)]
    return []


def main():
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for finding in bicep(text) if path.endswith(".bicep") else azure_ml(path, text):
            print(f"{path}: {finding}")


main()
