# Adds to the data collection rule of Container insights a flow from the containers' logs to the table TollgateAudit_CL:
# docs/azure-monitor.md. $transformation is the text of container-logs.kql.
#
# A flow cannot transform a group of streams, so the group becomes the streams that it stands for. A rule that has the flow
# already gets it anew.
def group: "Microsoft-ContainerInsights-Group-Default";
def streams: [
  "Microsoft-ContainerLog", "Microsoft-ContainerLogV2", "Microsoft-KubeEvents", "Microsoft-KubePodInventory",
  "Microsoft-KubeNodeInventory", "Microsoft-KubePVInventory", "Microsoft-KubeServices", "Microsoft-KubeMonAgentEvents",
  "Microsoft-InsightsMetrics", "Microsoft-ContainerInventory", "Microsoft-ContainerNodeInventory", "Microsoft-Perf"
];
def single: map(if . == group then streams[] else . end);
def table: "Custom-TollgateAudit_CL";

.properties.dataSources.extensions[].streams |= single
| .properties.dataFlows[].streams |= single
| .properties.destinations.logAnalytics[0].name as $workspace
| .properties.dataFlows |= (map(select(.outputStream != table)) + [{
    streams: ["Microsoft-ContainerLogV2"],
    destinations: [$workspace],
    transformKql: $transformation,
    outputStream: table
  }])
| {location, kind, tags, identity,
    properties: (.properties | del(.immutableId, .provisioningState, .metadata, .endpoints, .ingestionQuotas))}
| del(..|nulls)
