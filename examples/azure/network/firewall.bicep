// Azure Firewall for the subnets of nodes and administrators: everything that leaves the network is refused, except these names.
// docs/azure-from-zero.md deploys it. Private endpoints are in the network; their traffic does not come here.

@description('the region')
param location string = resourceGroup().location

@description('the subnet of the nodes of AKS, as in vnet.bicep')
param nodes string = '10.20.0.0/22'

@description('the subnet of the administrators, as in vnet.bicep')
param admin string = '10.20.5.64/27'

@description('the virtual network of vnet.bicep')
param networkName string = 'scoring'

@description('your registries and endpoints that have no private endpoint; empty if all have one')
param otherHosts array = [
  'registry.example.com'
  'scoring.westeurope.inference.ml.azure.com'
]

// Keys of the issuer, and tokens for what runs in the cluster.
var identity = [
  'login.microsoftonline.com'
]

// https://learn.microsoft.com/azure/aks/outbound-rules-control-egress#azure-monitor-for-containers
// and the addresses of docs/azure-monitor.md: the Logs Ingestion API and Application Insights.
var monitor = [
  '*.ods.opinsights.azure.com'
  '*.oms.opinsights.azure.com'
  '*.monitoring.azure.com'
  '*.ingest.monitor.azure.com'
  '*.handler.control.monitor.azure.com'
  '*.in.applicationinsights.azure.com'
]

// https://learn.microsoft.com/azure/machine-learning/how-to-access-azureml-behind-firewall#scenario-use-kubernetes-compute
// and https://learn.microsoft.com/azure/aks/outbound-rules-control-egress#cluster-extensions
var machineLearning = [
  '${location}.api.azureml.ms'
  '${location}.experiments.azureml.net'
  '${location}.dp.kubernetesconfiguration.azure.com'
  'mcr.microsoft.com'
  '*.data.mcr.microsoft.com'
]

// `az` (https://learn.microsoft.com/cli/azure/azure-cli-endpoints) and its extensions; kubectl and
// kubelogin; the packages of Ubuntu.
var administration = [
  'management.azure.com'
  'management.core.windows.net'
  'graph.microsoft.com'
  'aka.ms'
  'azcliprod.blob.core.windows.net'
  'azurecliprod.blob.core.windows.net'
  'azcliextensionsync.blob.core.windows.net'
  'packages.microsoft.com'
  'pypi.org'
  'files.pythonhosted.org'
  'dl.k8s.io'
  'cdn.dl.k8s.io'
  'azure.archive.ubuntu.com'
  'archive.ubuntu.com'
  'security.ubuntu.com'
  'github.com'
  'release-assets.githubusercontent.com'
]

// Logs of the extension, which Microsoft reads. These names cover accounts of other customers too.
var machineLearningLogs = [
  '*.kusto.windows.net'
  '*.table.core.windows.net'
  '*.queue.core.windows.net'
]

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' existing = {
  name: networkName
}

resource address 'Microsoft.Network/publicIPAddresses@2024-05-01' = {
  name: 'firewall'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource policy 'Microsoft.Network/firewallPolicies@2024-05-01' = {
  name: 'scoring'
  location: location
  properties: {
    sku: {
      tier: 'Standard'
    }
    threatIntelMode: 'Deny'
  }
}

resource rules 'Microsoft.Network/firewallPolicies/ruleCollectionGroups@2024-05-01' = {
  parent: policy
  name: 'egress'
  properties: {
    priority: 200
    ruleCollections: [
      {
        ruleCollectionType: 'FirewallPolicyFilterRuleCollection'
        name: 'names'
        priority: 200
        action: {
          type: 'Allow'
        }
        rules: [
          {
            ruleType: 'ApplicationRule'
            name: 'aks'
            sourceAddresses: [
              nodes
            ]
            protocols: [
              {
                protocolType: 'Https'
                port: 443
              }
              {
                protocolType: 'Http'
                port: 80
              }
            ]
            fqdnTags: [
              'AzureKubernetesService'
            ]
          }
          {
            ruleType: 'ApplicationRule'
            name: 'scoring'
            sourceAddresses: [
              nodes
            ]
            protocols: [
              {
                protocolType: 'Https'
                port: 443
              }
            ]
            targetFqdns: concat(identity, monitor, machineLearning, machineLearningLogs, otherHosts)
          }
          {
            ruleType: 'ApplicationRule'
            name: 'admin'
            sourceAddresses: [
              admin
            ]
            protocols: [
              {
                protocolType: 'Https'
                port: 443
              }
              {
                protocolType: 'Http'
                port: 80
              }
            ]
            targetFqdns: concat(identity, administration)
          }
        ]
      }
    ]
  }
}

resource firewall 'Microsoft.Network/azureFirewalls@2024-05-01' = {
  name: 'scoring'
  location: location
  properties: {
    sku: {
      name: 'AZFW_VNet'
      tier: 'Standard'
    }
    firewallPolicy: {
      id: policy.id
    }
    ipConfigurations: [
      {
        name: 'default'
        properties: {
          publicIPAddress: {
            id: address.id
          }
          subnet: {
            id: '${network.id}/subnets/AzureFirewallSubnet'
          }
        }
      }
    ]
  }
  dependsOn: [
    rules
  ]
}

resource routes 'Microsoft.Network/routeTables@2024-05-01' = {
  name: 'nodes'
  location: location
  properties: {
    routes: [
      {
        name: 'internet'
        properties: {
          addressPrefix: '0.0.0.0/0'
          nextHopType: 'VirtualAppliance'
          nextHopIpAddress: firewall.properties.ipConfigurations[0].properties.privateIPAddress
        }
      }
    ]
  }
}

output routesId string = routes.id
