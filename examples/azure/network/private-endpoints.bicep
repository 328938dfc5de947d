// Private endpoints of the workspace and of what it uses, and the zones by which their names lead to them.
// Managed online endpoints share the endpoint of the workspace. docs/azure-from-zero.md deploys it.

@description('the region')
param location string = resourceGroup().location

@description('the virtual network: networkId of vnet.bicep')
param networkId string

@description('the subnet of the endpoints: endpointsId of vnet.bicep')
param subnetId string

@description('the workspace of Azure Machine Learning')
param workspaceId string

@description('the key vault of the workspace')
param vaultId string

@description('the storage account of the workspace')
param storageId string

@description('the container registry; private endpoints need its tier Premium')
param registryId string

var zones = [
  'privatelink.api.azureml.ms'
  'privatelink.notebooks.azure.net'
  'privatelink.vaultcore.azure.net'
  'privatelink.blob.core.windows.net'
  'privatelink.file.core.windows.net'
  'privatelink.azurecr.io'
]

var services = [
  {
    name: 'workspace'
    id: workspaceId
    group: 'amlworkspace'
    zones: [
      'privatelink.api.azureml.ms'
      'privatelink.notebooks.azure.net'
    ]
  }
  {
    name: 'vault'
    id: vaultId
    group: 'vault'
    zones: [
      'privatelink.vaultcore.azure.net'
    ]
  }
  {
    name: 'blob'
    id: storageId
    group: 'blob'
    zones: [
      'privatelink.blob.core.windows.net'
    ]
  }
  {
    name: 'file'
    id: storageId
    group: 'file'
    zones: [
      'privatelink.file.core.windows.net'
    ]
  }
  {
    name: 'registry'
    id: registryId
    group: 'registry'
    zones: [
      'privatelink.azurecr.io'
    ]
  }
]

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [for name in zones: {
  name: name
  location: 'global'
}]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (name, i) in zones: {
  parent: zone[i]
  name: 'scoring'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: networkId
    }
  }
}]

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = [for service in services: {
  name: 'scoring-${service.name}'
  location: location
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: service.name
        properties: {
          privateLinkServiceId: service.id
          groupIds: [
            service.group
          ]
        }
      }
    ]
  }
}]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [for (service, i) in services: {
  parent: endpoint[i]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [for name in service.zones: {
      name: replace(name, '.', '-')
      properties: {
        privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', name)
      }
    }]
  }
  dependsOn: [
    zone
  ]
}]
