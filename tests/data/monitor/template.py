"""template.py FOLDER: members, words and types of template.json are those of Microsoft's management clients, and
template.bicep says the same."""

import json
import pathlib
import sys

import pycep
from azure.mgmt.applicationinsights.v2023_06_01 import models as insights
from azure.mgmt.loganalytics import models as analytics
from azure.mgmt.monitor import models as monitor

EXPRESSION = "<expression>"
# The Azure Resource Manager's own: not members of a resource's body.
OUTSIDE = ["type", "apiVersion", "name", "parent", "scope", "condition", "dependsOn"]


def resolved(value, parameters):
    """A value of the ARM template: a parameter is its default, any other expression a text."""
    if isinstance(value, dict):
        return {name: resolved(member, parameters) for name, member in value.items()}
    if isinstance(value, list):
        return [resolved(member, parameters) for member in value]
    if isinstance(value, str) and value.startswith("["):
        name = value.removeprefix("[parameters('").removesuffix("')]")
        return parameters.get(name, {}).get("defaultValue", EXPRESSION)
    return value


def opaque(value):
    if isinstance(value, dict):
        return {name: opaque(member) for name, member in value.items()}
    if isinstance(value, list):
        return [opaque(member) for member in value]
    return EXPRESSION if isinstance(value, str) and value.startswith("[") else value


def body(resource):
    return {name: value for name, value in resource.items() if name not in OUTSIDE}


def survives(model, value):
    """Older clients drop the members that they do not know, and refuse values of another type."""
    kept = model.deserialize(value).serialize(keep_readonly=True)
    assert kept == value, f"{model.__name__}: {value} becomes {kept}"


def known(value):
    """Newer clients keep every member; those of a class are listed."""
    fields = {field._rest_name: name for name, field in value._attr_to_rest_field.items()}
    for name in value:
        assert name in fields, f"{type(value).__name__} has no {name}"
        member = getattr(value, fields[name])
        for part in member if isinstance(member, list) else [member]:
            if hasattr(part, "_attr_to_rest_field"):
                known(part)


def words(columns, allowed):
    allowed = {word.value for word in allowed}
    for column in columns:
        assert column["type"] in allowed, f"{column}: not one of {allowed}"


def against_clients(template):
    table, rule, _, workbook = [
        resolved(body(resource), template["parameters"]) for resource in template["resources"]
    ]
    known(analytics.Table(table))
    words(table["properties"]["schema"]["columns"], analytics.ColumnTypeEnum)
    assert table["properties"]["plan"] in {plan.value for plan in analytics.TablePlanEnum}
    survives(monitor.DataCollectionRuleResource, rule)
    for stream in rule["properties"]["streamDeclarations"].values():
        words(stream["columns"], monitor.KnownColumnDefinitionType)
    survives(insights.Workbook, workbook)


def plain(value, symbols):
    """A value of the parsed Bicep file as `opaque` writes one of the ARM template."""
    if isinstance(value, dict):
        if value.keys() & {"operator", "function"}:
            return EXPRESSION
        return {name.strip("'"): plain(member, symbols) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member, symbols) for member in value]
    return EXPRESSION if value in symbols else value


def against_bicep(template, text):
    parsed = pycep.BicepParser().parse(text=text)
    symbols = parsed["parameters"].keys() | parsed["resources"].keys()
    resources = []
    for resource in parsed["resources"].values():
        config = resource["config"]
        if not resource["existing"]:
            config = body(plain(config.get("config", config), symbols))
            resources.append((resource["type"], resource["api_version"], config))
    wanted = [
        (resource["type"], resource["apiVersion"], opaque(body(resource)))
        for resource in template["resources"]
    ]
    for found, resource in zip(resources, wanted, strict=True):
        assert found == resource, f"{found}\nis not\n{resource}"
    # A file in the one, a parameter in the other.
    for name, parameter in parsed["parameters"].items():
        other = template["parameters"][name]
        bounds = {mark["type"]: mark["argument"] for mark in parameter["decorators"]}
        assert bounds["description"] == other["metadata"]["description"], name
        assert bounds.get("min_value") == other.get("minValue"), name
        assert bounds.get("max_value") == other.get("maxValue"), name
        default = plain(parameter["default"], symbols)
        assert default == opaque(other.get("defaultValue")), f"{name}: {default}"
    assert template["parameters"].keys() - parsed["parameters"].keys() == {"workbook"}
    assert template["outputs"].keys() == parsed["outputs"].keys()


def main():
    folder = pathlib.Path(sys.argv[1])
    template = json.loads((folder / "template.json").read_text())
    against_clients(template)
    against_bicep(template, (folder / "template.bicep").read_text())


main()
