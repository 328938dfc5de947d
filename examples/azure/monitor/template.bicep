// The table of tollgate's audit lines in a Log Analytics workspace, the rule by which lines reach it, and a workbook:
// docs/azure-monitor.md. template.json is the same as an ARM template.

@description('a Log Analytics workspace in this resource group')
param workspaceName string

@description('the region of the workspace')
param location string = resourceGroup().location

@description('how long queries see a line at once')
@minValue(4)
@maxValue(730)
param retentionDays int = 90

@description('how long a line is kept; after retentionDays a search job finds it')
@minValue(4)
@maxValue(4383)
param totalRetentionDays int = 365

@description('the object id of the identity that sends lines; empty: nobody may send')
param senderPrincipalId string = ''

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: workspaceName
}

resource table 'Microsoft.OperationalInsights/workspaces/tables@2025-02-01' = {
  parent: workspace
  name: 'TollgateAudit_CL'
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionDays
    totalRetentionInDays: totalRetentionDays
    schema: {
      name: 'TollgateAudit_CL'
      description: 'The audit lines of tollgate'
      columns: [
        { name: 'TimeGenerated', type: 'dateTime' }
        { name: 'Time', type: 'dateTime' }
        { name: 'XRequestId', type: 'string' }
        { name: 'XMSClientRequestId', type: 'string' }
        { name: 'Method', type: 'string' }
        { name: 'Path', type: 'string' }
        { name: 'Route', type: 'string' }
        { name: 'EndpointName', type: 'string' }
        { name: 'DeploymentName', type: 'string' }
        { name: 'Model', type: 'string' }
        { name: 'Rule', type: 'string' }
        { name: 'Provider', type: 'string' }
        { name: 'Identity', type: 'string' }
        { name: 'Kid', type: 'string' }
        { name: 'Decision', type: 'string' }
        { name: 'Reason', type: 'string' }
        { name: 'Detail', type: 'string' }
        { name: 'Limit', type: 'string' }
        { name: 'Remaining', type: 'long' }
        { name: 'Cost', type: 'long' }
        { name: 'Usage', type: 'long' }
        { name: 'ResponseCode', type: 'long' }
        { name: 'ResponseCodeReason', type: 'string' }
        { name: 'ModelStatusCode', type: 'long' }
        { name: 'ModelStatusReason', type: 'string' }
        { name: 'RequestPayloadSize', type: 'long' }
        { name: 'ResponsePayloadSize', type: 'long' }
        { name: 'TotalDurationMs', type: 'long' }
        { name: 'UpstreamDurationMs', type: 'long' }
        { name: 'UserAgent', type: 'string' }
        { name: 'ClientAddress', type: 'string' }
        { name: 'Peer', type: 'string' }
      ]
    }
  }
}

resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: 'tollgate-audit'
  location: location
  kind: 'Direct'
  dependsOn: [table]
  properties: {
    description: 'Takes audit lines of tollgate as Envoy writes them'
    streamDeclarations: {
      'Custom-TollgateAudit': {
        columns: [
          { name: 'Time', type: 'datetime' }
          { name: 'XRequestId', type: 'string' }
          { name: 'XMSClientRequestId', type: 'string' }
          { name: 'Method', type: 'string' }
          { name: 'Path', type: 'string' }
          { name: 'Route', type: 'string' }
          { name: 'EndpointName', type: 'string' }
          { name: 'DeploymentName', type: 'string' }
          { name: 'Model', type: 'string' }
          { name: 'Rule', type: 'string' }
          { name: 'Provider', type: 'string' }
          { name: 'Identity', type: 'string' }
          { name: 'Kid', type: 'string' }
          { name: 'Decision', type: 'string' }
          { name: 'Reason', type: 'string' }
          { name: 'Detail', type: 'string' }
          { name: 'Limit', type: 'string' }
          { name: 'Remaining', type: 'string' }
          { name: 'Cost', type: 'string' }
          { name: 'Usage', type: 'string' }
          { name: 'ResponseCode', type: 'long' }
          { name: 'ResponseCodeReason', type: 'string' }
          { name: 'ModelStatusCode', type: 'string' }
          { name: 'ModelStatusReason', type: 'string' }
          { name: 'RequestPayloadSize', type: 'long' }
          { name: 'ResponsePayloadSize', type: 'long' }
          { name: 'TotalDurationMs', type: 'long' }
          { name: 'UpstreamDurationMs', type: 'long' }
          { name: 'UserAgent', type: 'string' }
          { name: 'ClientAddress', type: 'string' }
          { name: 'Peer', type: 'string' }
        ]
      }
    }
    destinations: {
      logAnalytics: [
        { name: 'audit', workspaceResourceId: workspace.id }
      ]
    }
    dataFlows: [
      {
        streams: ['Custom-TollgateAudit']
        destinations: ['audit']
        transformKql: 'source | extend TimeGenerated = Time, Remaining = tolong(Remaining), Cost = tolong(Cost), Usage = tolong(Usage), ModelStatusCode = tolong(ModelStatusCode)'
        outputStream: 'Custom-TollgateAudit_CL'
      }
    ]
  }
}

// Monitoring Metrics Publisher: may send lines to this rule, and nothing else.
resource sender 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(senderPrincipalId)) {
  name: guid(rule.id, senderPrincipalId)
  scope: rule
  properties: {
    description: 'Monitoring Metrics Publisher: may send lines to this rule'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '3913510d-42f4-4e42-8a64-420c390055eb')
    principalId: senderPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource book 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'tollgate-audit')
  location: location
  kind: 'shared'
  properties: {
    displayName: 'tollgate: audit'
    category: 'workbook'
    sourceId: workspace.id
    serializedData: loadTextContent('workbook.json')
  }
}

output endpoint string = rule.properties.endpoints.logsIngestion
output ruleId string = rule.properties.immutableId
