//! The files for Azure Monitor say what docs/audit.json and the page say. `TOLLGATE_UPDATE=1` writes them anew.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{docs, root};

use super::definition::{Field, Kind, definition};
use super::kusto;

pub const FOLDER: &str = "examples/azure/monitor";
const PAGE: &str = "docs/azure-monitor.md";
/// The columns of Container insights' table that the transformation reads.
pub const CONTAINER_LOG: &str =
    "(TimeGenerated: datetime, ContainerName: string, LogMessage: dynamic)";

/// The columns of the table, each with its type in Azure Monitor.
pub fn table() -> Vec<(String, &'static str)> {
    let own = ("TimeGenerated".to_owned(), "dateTime");
    let fields = definition().into_iter().map(|field| {
        let kind = match field.kind {
            Kind::Digits => "long",
            _ if field.name == "Time" => "dateTime",
            _ => field.kusto(),
        };
        (field.name, kind)
    });
    std::iter::once(own).chain(fields).collect()
}

/// The columns of the stream: a line as Envoy writes it.
pub fn stream() -> Vec<(String, &'static str)> {
    definition().into_iter().map(|field| (field.name.clone(), field.kusto())).collect()
}

/// The template for Azure Resource Manager.
pub fn template() -> Value {
    let text = std::fs::read_to_string(root().join(FOLDER).join("template.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Compares a file with what it should be, or writes it.
fn published(name: &str, write: impl FnOnce(&str) -> String) {
    let path = root().join(FOLDER).join(name);
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let wanted = write(&found);
    if std::env::var_os("TOLLGATE_UPDATE").is_some() {
        std::fs::write(path, wanted).unwrap();
        return;
    }
    assert!(found == wanted, "{name} differs: run with TOLLGATE_UPDATE=1");
}

/// A text with other lines between each `columns` and the end of its list; the lists in their order.
fn with_columns(text: &str, start: &str, lists: &[Vec<String>], separator: &str) -> String {
    let mut parts = text.split_inclusive(start);
    let mut written = parts.next().unwrap().to_owned();
    for (part, list) in parts.zip(lists) {
        let indent: String = part[1..].chars().take_while(|c| *c == ' ').collect();
        let (_, rest) = part.split_once("]").unwrap();
        let outer = &indent[..indent.len() - 2];
        let lines = list.join(&format!("{separator}\n{indent}"));
        written.push_str(&format!("\n{indent}{lines}\n{outer}]{rest}"));
    }
    written
}

fn columns(write: impl Fn(&str, &str) -> String) -> Vec<Vec<String>> {
    let list = |columns: Vec<(String, &str)>| {
        columns.iter().map(|(name, kind)| write(name, kind)).collect::<Vec<_>>()
    };
    vec![list(table()), list(stream())]
}

/// Also that a line becomes a row: the transformation makes numbers of digits.
fn transformation() -> String {
    let digits = definition().into_iter().filter(|field| field.kind == Kind::Digits);
    let casts: Vec<_> =
        digits.map(|Field { name, .. }| format!("{name} = tolong({name})")).collect();
    format!("source | extend TimeGenerated = Time, {}", casts.join(", "))
}

#[test]
fn table_and_rule_have_a_column_for_each_field() {
    let lists = columns(|name, kind| format!(r#"{{"name": "{name}", "type": "{kind}"}}"#));
    published("template.json", |text| with_columns(text, r#""columns": ["#, &lists, ","));
    let lists = columns(|name, kind| format!("{{ name: '{name}', type: '{kind}' }}"));
    published("template.bicep", |text| with_columns(text, "columns: [", &lists, ""));
    let flow = "/resources/1/properties/dataFlows/0/transformKql";
    assert_eq!(template().pointer(flow).unwrap(), &json!(transformation()));
}

/// The fields of the member `Line` as columns of the table.
fn projection() -> String {
    let cast = |kind: &str| match kind {
        "dateTime" => "todatetime",
        "long" => "tolong",
        _ => "tostring",
    };
    let columns = table().into_iter().map(|(name, kind)| {
        let field = if name == "TimeGenerated" { "Time" } else { &name };
        format!("    {name} = {}(Line.{field})", cast(kind))
    });
    format!("| project\n{}", columns.collect::<Vec<_>>().join(",\n"))
}

#[test]
fn lines_of_other_tables_become_rows_with_every_column() {
    for (file, end) in [("container-logs.kql", "\n"), ("app-traces.kql", ";\n")] {
        published(file, |text| {
            let (head, _) = text.split_once("| project\n").unwrap();
            format!("{head}{}{end}", projection())
        });
    }
}

/// With Microsoft's parser: whatever a transformation yields must have a column, with the type of that column.
#[test]
fn each_transformation_yields_the_columns_of_the_table() {
    let read = |name: &str| std::fs::read_to_string(root().join(FOLDER).join(name)).unwrap();
    let mut wanted: Vec<_> =
        table().into_iter().map(|(name, kind)| (name, kind.to_lowercase())).collect();
    wanted.sort();
    for (tables, text) in [
        (json!({"source": kusto::table(&stream())}), transformation()),
        (json!({"source": CONTAINER_LOG}), read("container-logs.kql")),
        (
            json!({"AppTraces": "(TimeGenerated: datetime, Properties: dynamic)"}),
            read("app-traces.kql") + "TollgateAudit_CL",
        ),
    ] {
        let Some(found) = kusto::check(&tables, &[text]) else { return };
        let [found] = &found[..] else { panic!("one query") };
        assert!(found.findings.is_empty(), "{:?}", found.findings);
        let mut columns = found.columns.clone();
        columns.sort();
        assert_eq!(columns, wanted, "{tables}");
    }
}

/// The questions of the page: the heading of each, and its query.
pub fn questions() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let (_, section) = text.split_once("\n## Ten questions\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let parts = section.split("\n### ").skip(1);
    let question = |part: &str| {
        let (title, _) = part.split_once('\n').unwrap();
        let blocks = docs::read(part).unwrap();
        let [query] = &blocks[..] else { panic!("one query for {title}") };
        (title.to_owned(), query.text.trim_end().to_owned())
    };
    parts.map(question).collect()
}

#[test]
fn the_workbook_has_the_ten_questions_of_the_page() {
    let questions = questions();
    assert_eq!(questions.len(), 10);
    let range = json!({"type": 9, "name": "range", "content": {
        "version": "KqlParameterItem/1.0", "style": "pills", "queryType": 0,
        "resourceType": "microsoft.operationalinsights/workspaces",
        "parameters": [{
            "id": "5d3c8a52-7a0e-4a55-9d57-0a3f6f1f0c11", "version": "KqlParameterItem/1.0",
            "name": "TimeRange", "label": "Time range", "type": 4, "isRequired": true,
            "value": {"durationMs": 86_400_000},
            "typeSettings": {"allowCustom": true, "selectableValues": [
                {"durationMs": 3_600_000}, {"durationMs": 86_400_000},
                {"durationMs": 604_800_000}, {"durationMs": 2_592_000_000_i64},
            ]},
        }],
    }});
    let panel = |(title, query): &(String, String)| {
        json!({"type": 3, "name": title, "content": {
            "version": "KqlItem/1.0", "title": title, "query": query, "size": 0, "showExportToExcel": true,
            "timeContextFromParameter": "TimeRange", "queryType": 0,
            "resourceType": "microsoft.operationalinsights/workspaces", "visualization": "table",
        }})
    };
    let items: Vec<_> = std::iter::once(range).chain(questions.iter().map(panel)).collect();
    let workbook = json!({
        "$schema": "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json",
        "version": "Notebook/1.0", "items": items, "fallbackResourceIds": ["Azure Monitor"],
    });
    published("workbook.json", |_| serde_json::to_string_pretty(&workbook).unwrap() + "\n");
}

/// The sample of Microsoft's page about transformations, and the rule that `az` creates, with the group of all streams.
#[test]
fn the_program_for_container_insights_adds_one_flow_to_a_rule_and_resolves_the_group() {
    let rule = |streams: Value| {
        json!({"id": "/rule", "etag": "1", "location": "eastus2", "kind": "Linux", "tags": null, "properties": {
            "immutableId": "dcr-1", "provisioningState": "Succeeded",
            "dataSources": {"extensions": [{"name": "ContainerInsightsExtension", "streams": streams}]},
            "destinations": {"logAnalytics": [{"name": "ciworkspace", "workspaceId": "0"}]},
            "dataFlows": [{"streams": streams, "destinations": ["ciworkspace"]}],
        }})
    };
    let path = |name: &str| root().join(FOLDER).join(name);
    let change = |rule: &Value| -> Value {
        let mut jq = Command::new("jq");
        jq.arg("--rawfile").arg("transformation").arg(path("container-logs.kql"));
        jq.arg("--from-file").arg(path("container-insights.jq"));
        let mut jq = jq.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        jq.stdin.take().unwrap().write_all(rule.to_string().as_bytes()).unwrap();
        let output = jq.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let single =
        json!(["Microsoft-ContainerLogV2", "Microsoft-KubeEvents", "Microsoft-KubePodInventory"]);
    let group = json!(["Microsoft-ContainerInsights-Group-Default"]);
    for streams in [single, group] {
        let changed = change(&rule(streams.clone()));
        assert_eq!((&changed["location"], &changed["kind"]), (&json!("eastus2"), &json!("Linux")));
        assert!(changed.get("id").is_none() && changed["properties"].get("immutableId").is_none());
        let flows = changed["properties"]["dataFlows"].as_array().unwrap();
        let [all, ours] = &flows[..] else { panic!("{flows:?}") };
        assert!(!all["streams"].to_string().contains("Group"), "{all}");
        assert!(all["streams"].as_array().unwrap().contains(&json!("Microsoft-ContainerLogV2")));
        assert_eq!(
            all["streams"],
            changed["properties"]["dataSources"]["extensions"][0]["streams"]
        );
        let transformation = std::fs::read_to_string(path("container-logs.kql")).unwrap();
        assert_eq!(
            *ours,
            json!({"streams": ["Microsoft-ContainerLogV2"], "destinations": ["ciworkspace"],
                "transformKql": transformation, "outputStream": "Custom-TollgateAudit_CL"})
        );
        assert_eq!(change(&changed), changed, "a second time changes nothing");
    }
}

/// Those that the exporter's page lists (2026-11); its module could not be had, so no collector reads the file.
#[test]
fn the_exporter_for_azure_monitor_has_members_that_its_page_lists() {
    let [file] = &docs::manifests("examples/azure/monitor/collector/azuremonitor.yaml")[..] else {
        panic!("one document")
    };
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&file["exporters"]), ["azuremonitor"]);
    let exporter = &file["exporters"]["azuremonitor"];
    let known = [
        "connection_string",
        "customeventsenabled",
        "endpoint",
        "instrumentation_key",
        "maxbatchinterval",
        "maxbatchsize",
        "sending_queue",
        "shutdown_timeout",
        "spaneventsenabled",
    ];
    assert!(members(exporter).iter().all(|name| known.contains(&name.as_str())), "{exporter}");
    let known = ["enabled", "num_consumers", "queue_size", "storage"];
    let queue = &exporter["sending_queue"];
    assert!(members(queue).iter().all(|name| known.contains(&name.as_str())), "{queue}");
    assert_eq!(file["service"]["pipelines"]["logs"]["exporters"], json!(["azuremonitor"]));
}
