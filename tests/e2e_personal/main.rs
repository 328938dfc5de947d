//! Personal data: marked texts go through every input of a real Envoy. Each is found in exactly the
//! outputs that docs/personal-data.md names, and the tables of that page name every field.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod fields;
mod inputs;
mod outputs;
mod page;
mod world;

use outputs::{ABSENT, HASH_KEY, Outputs, forms};
use support::eventually;
use support::prelude::*;
use world::{Line, Tracer, World};

/// The table of a run as the page writes it. `columns`: the outputs.
fn measured(outputs: &Outputs, columns: &[String]) -> Vec<String> {
    let columns: Vec<_> = columns.iter().map(|name| forms(&outputs[name.as_str()])).collect();
    let row = |(at, (input, _)): (usize, &(&str, &str))| {
        let cells: Vec<_> = columns.iter().map(|column| column[at].1).collect();
        format!("| {input} | {} |", cells.join(" | "))
    };
    columns[0].iter().enumerate().map(row).collect()
}

/// Sends every input through a configuration, and collects the outputs of both tracers.
async fn outputs(line: Line) -> Option<Outputs> {
    let mut all: Option<Outputs> = None;
    for tracer in [Tracer::Zipkin, Tracer::OpenTelemetry] {
        let world = World::new().await?;
        let envoy = world.start(line, tracer, &world.config(line)).await;
        // The filter's own lines of every level.
        let trace = Request::post("/logging?wasm=trace", "");
        assert_eq!(client::send(envoy.admin_address(), &trace).await.status, 200);
        let replies = world.send(&envoy).await;
        let mut outputs = world.outputs(&envoy, line, tracer, &replies).await;
        fields::assert_named(&world, &replies);
        let all = all.get_or_insert_with(|| outputs.clone());
        // The tracer changes nothing but the spans.
        all.extend(outputs.remove_entry(tracer.output()));
        for (name, output) in &outputs {
            assert_eq!(forms(output), forms(&all[name]), "{name}");
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn each_input_is_in_exactly_the_outputs_that_the_page_names() {
    let mut wrong = Vec::new();
    for (line, heading) in [
        (Line::Shipped, "The examples as shipped"),
        (Line::Private, "The examples with private.yaml"),
    ] {
        let Some(outputs) = outputs(line).await else { return };
        let table = page::table(heading);
        let rows: Vec<_> =
            table[1..].iter().map(|row| format!("| {} |", row.join(" | "))).collect();
        let measured = measured(&outputs, &table[0][1..]);
        if measured != rows {
            wrong.push(format!("{heading}:"));
            wrong.extend(measured);
        }
        for output in ["logs", "admin interface"] {
            let found: Vec<_> =
                forms(&outputs[output]).into_iter().filter(|(_, form)| *form != ABSENT).collect();
            assert!(found.is_empty(), "{output}: {found:?}");
        }
        if let Some(otlp) = outputs.get("OTLP") {
            assert_eq!(forms(otlp), forms(&outputs["Audit line"]));
        }
        for (name, output) in &outputs {
            assert!(!String::from_utf8_lossy(output).contains(HASH_KEY), "{name} has the key");
        }
    }
    assert!(wrong.is_empty(), "the page is to have:\n{}", wrong.join("\n"));
}

/// The forms of inputs in an output.
type Expected = &'static [(&'static str, &'static str, &'static str)];

/// Each switch of docs/personal-data.md, and the forms that it changes.
fn switches() -> [(&'static str, Value, Expected); 6] {
    let tags = |change: Value| {
        let tag = json!({"name": "email", "value": "{email}", "header": "x-auth-email"});
        json!({"tags": [merged(tag, change)]})
    };
    let plain_tag = json!({"name": "email", "value": "{email}"});
    [
        (
            "telemetry.filter_state: off",
            json!({"telemetry": {"filter_state": "off"}}),
            &[
                ("Filter state", "claim `sub`", ABSENT),
                ("Filter state", "claim `email`", ABSENT),
                ("Filter state", "path, segment `{endpoint}`", ABSENT),
                ("Filter state", "`sub` of an expired token", ABSENT),
                ("Audit line", "claim `sub`", ABSENT),
            ],
        ),
        (
            "filter_state: false of a tag",
            tags(json!({"filter_state": false})),
            &[("Filter state", "claim `email`", ABSENT)],
        ),
        (
            "no header of a tag",
            json!({"tags": [plain_tag], "token": {"forward": false}}),
            &[("Upstream", "claim `email`", ABSENT)],
        ),
        (
            "hash: true",
            merged(
                tags(json!({"hash": true})),
                json!({"privacy": {"hash_key_env": "TOLLGATE_HASH_KEY"}}),
            ),
            &[("Filter state", "claim `email`", "hash"), ("Upstream", "claim `email`", "token")],
        ),
        (
            "token.forward: false",
            json!({"token": {"forward": false}}),
            &[("Upstream", "other members of the token's header", ABSENT)],
        ),
        (
            "client_address",
            json!({"client_address": {"ipv4_prefix": 8}}),
            &[("Filter state", "client address", ABSENT)],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_switch_changes_what_the_page_says() {
    for (name, change, expected) in switches() {
        let Some(world) = World::new().await else { return };
        let config = merged(world.config(Line::Shipped), change);
        let envoy = world.start(Line::Shipped, Tracer::OpenTelemetry, &config).await;
        let replies = world.send(&envoy).await;
        let outputs = world.outputs(&envoy, Line::Shipped, Tracer::OpenTelemetry, &replies).await;
        for (output, input, form) in expected {
            let found = forms(&outputs[output]).into_iter().find(|(name, _)| name == input);
            assert_eq!(found, Some((*input, *form)), "{name}: {output}");
            let table = page::table("The examples as shipped");
            let column = table[0].iter().position(|name| name == output).unwrap();
            let row = table.iter().find(|row| row[0] == *input).unwrap();
            assert_ne!(row[column], *form, "{name} changes nothing");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switches_of_telemetry_leave_out_allowed_requests_and_their_counters() {
    let Some(world) = World::new().await else { return };
    let telemetry = json!({"telemetry": {"filter_state": "denied", "metrics": false}});
    let config = merged(world.config(Line::Private), telemetry);
    let envoy = world.start(Line::Private, Tracer::OpenTelemetry, &config).await;
    let replies = world.send(&envoy).await;
    let outputs = world.outputs(&envoy, Line::Private, Tracer::OpenTelemetry, &replies).await;
    let [states, stats] = ["Filter state", "admin interface"]
        .map(|name| String::from_utf8_lossy(&outputs[name]).into_owned());
    assert!(states.contains("\"deny\"") && !states.contains("\"allow\""), "{states}");
    assert!(stats.contains("http.scoring.downstream_rq_total"), "statistics are there");
    assert!(!stats.contains("tollgate_requests") && !stats.contains("tollgate_limit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_trace_level_no_logger_but_those_that_the_page_names_prints_an_input() {
    let Some(world) = World::new().await else { return };
    let config = world.config(Line::Private);
    let named: Vec<_> =
        page::table("Logs").into_iter().filter(|row| row[0].contains("`trace`: ")).collect();
    let named = named
        .iter()
        .flat_map(|row| row[0].split_once("`trace`: ").unwrap().1.split('`').skip(1).step_by(2));
    let named: Vec<_> = named.collect();
    assert_eq!(named, ["http", "router", "conn_handler"]);
    let levels = named.iter().map(|logger| format!("{logger}=info"));
    for quiet in [true, false] {
        let envoy = world.start(Line::Private, Tracer::OpenTelemetry, &config).await;
        let levels = levels.clone().filter(|_| quiet);
        for what in ["level=trace".to_owned()].into_iter().chain(levels) {
            let request = Request::post(format!("/logging?{what}"), "");
            assert_eq!(client::send(envoy.admin_address(), &request).await.status, 200, "{what}");
        }
        let count = world.send(&envoy).await.len();
        let all = async || (envoy.access_log().len() >= count).then_some(());
        eventually(all).await.expect("a line for each request");
        let log = world::own_log(&envoy);
        assert!(log.lines().count() > 500, "trace is on");
        let printed = |logger: &str| {
            let lines = log.lines().filter(|line| line.contains(&format!("[{logger}]")));
            let text = lines.collect::<Vec<_>>().join("\n");
            forms(text.as_bytes()).into_iter().any(|(_, form)| form != ABSENT)
        };
        if quiet {
            let found = forms(log.as_bytes()).into_iter().filter(|(_, form)| *form != ABSENT);
            assert_eq!(found.collect::<Vec<_>>(), []);
        } else {
            let silent: Vec<_> = named.iter().filter(|logger| !printed(logger)).collect();
            assert!(silent.is_empty(), "{silent:?} print no input: take them off the page");
        }
    }
}
