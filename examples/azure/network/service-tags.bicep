// A network security group with service tags, for a subnet in which Envoy or model servers run on virtual machines.
// It is not for the nodes of AKS: they need names for which there is no tag. Use firewall.bicep there.
//
// A tag stands for a whole service, with the resources of every customer in it. Prefer private endpoints.

@description('the region')
param location string = resourceGroup().location

@description('whether storage, registry and key vault have private endpoints in this network')
param privateEndpoints bool = true

// https://learn.microsoft.com/azure/machine-learning/how-to-access-azureml-behind-firewall
var always = [
  {
    name: 'entra'
    tag: 'AzureActiveDirectory'
    why: 'keys and tokens: login.microsoftonline.com'
  }
  {
    name: 'azure-ml'
    tag: 'AzureMachineLearning'
    why: 'the service, and managed online endpoints without a private endpoint'
  }
  {
    name: 'resource-manager'
    tag: 'AzureResourceManager'
    why: 'management.azure.com'
  }
  {
    name: 'microsoft-images'
    tag: 'MicrosoftContainerRegistry'
    why: 'mcr.microsoft.com'
  }
  {
    name: 'microsoft-images-front-door'
    tag: 'AzureFrontDoor.FirstParty'
    why: 'the layers of these images'
  }
  {
    name: 'monitor'
    tag: 'AzureMonitor'
    why: 'logs and metrics'
  }
]

var withoutPrivateEndpoints = [
  {
    name: 'storage'
    tag: 'Storage.${location}'
    why: 'models; data can leave the network this way'
  }
  {
    name: 'registry'
    tag: 'AzureContainerRegistry.${location}'
    why: 'your images'
  }
  {
    name: 'vault'
    tag: 'AzureKeyVault.${location}'
    why: 'the key of the endpoint'
  }
]

var tags = privateEndpoints ? always : concat(always, withoutPrivateEndpoints)

resource group 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'inferencing'
  location: location
}

resource allowed 'Microsoft.Network/networkSecurityGroups/securityRules@2024-05-01' = [for (rule, i) in tags: {
  parent: group
  name: rule.name
  properties: {
    description: rule.why
    priority: 200 + i
    direction: 'Outbound'
    access: 'Allow'
    protocol: 'Tcp'
    sourceAddressPrefix: 'VirtualNetwork'
    sourcePortRange: '*'
    destinationAddressPrefix: rule.tag
    destinationPortRange: '443'
  }
}]

// The default rules still allow the virtual network, private endpoints included.
resource internet 'Microsoft.Network/networkSecurityGroups/securityRules@2024-05-01' = {
  parent: group
  name: 'internet'
  properties: {
    priority: 4000
    direction: 'Outbound'
    access: 'Deny'
    protocol: '*'
    sourceAddressPrefix: '*'
    sourcePortRange: '*'
    destinationAddressPrefix: 'Internet'
    destinationPortRange: '*'
  }
}

output id string = group.id
