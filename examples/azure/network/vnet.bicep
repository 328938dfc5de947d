// The virtual network: subnets for the nodes of AKS, for private endpoints, for the machine of the administrators, for
// Azure Bastion by which they reach it, and for Azure Firewall.
// docs/azure-from-zero.md deploys it.

@description('the region')
param location string = resourceGroup().location

@description('the subnet of the nodes of AKS')
param nodes string = '10.20.0.0/22'

@description('the subnet of the private endpoints')
param endpoints string = '10.20.4.0/26'

@description('the subnet of Azure Firewall, at least a /26')
param firewall string = '10.20.5.0/26'

@description('the subnet of the machine from which administrators use kubectl and az')
param admin string = '10.20.5.64/27'

@description('the subnet of Azure Bastion, at least a /26')
param bastion string = '10.20.5.128/26'

@description('a route table for nodes and administrators: routesId of firewall.bicep. Empty, before there is a firewall')
param routesId string

// Only nodes and administrators open connections to a private endpoint, and only with TLS.
resource endpointRules 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'endpoints'
  location: location
  properties: {
    securityRules: [
      {
        name: 'nodes'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: nodes
          sourcePortRange: '*'
          destinationAddressPrefix: endpoints
          destinationPortRange: '443'
        }
      }
      {
        name: 'admin'
        properties: {
          priority: 110
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: admin
          sourcePortRange: '*'
          destinationAddressPrefix: endpoints
          destinationPortRange: '443'
        }
      }
      {
        name: 'others'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

// Only Bastion reaches the machine of the administrators. For a VPN, add its addresses.
resource adminRules 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'admin'
  location: location
  properties: {
    securityRules: [
      {
        name: 'bastion'
        properties: {
          priority: 200
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: bastion
          sourcePortRange: '*'
          destinationAddressPrefix: admin
          destinationPortRange: '22'
        }
      }
      {
        name: 'others'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: 'scoring'
  location: location
  properties: {
    addressSpace: {
      addressPrefixes: [
        nodes
        endpoints
        firewall
        admin
        bastion
      ]
    }
    subnets: [
      {
        name: 'nodes'
        properties: {
          addressPrefix: nodes
          // Nothing reaches the internet, except by the route.
          defaultOutboundAccess: false
          routeTable: empty(routesId) ? null : {
            id: routesId
          }
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: endpoints
          defaultOutboundAccess: false
          networkSecurityGroup: {
            id: endpointRules.id
          }
          // Otherwise no rule applies to private endpoints.
          privateEndpointNetworkPolicies: 'NetworkSecurityGroupEnabled'
        }
      }
      {
        name: 'admin'
        properties: {
          addressPrefix: admin
          defaultOutboundAccess: false
          networkSecurityGroup: {
            id: adminRules.id
          }
          routeTable: empty(routesId) ? null : {
            id: routesId
          }
        }
      }
      {
        name: 'AzureBastionSubnet'
        properties: {
          addressPrefix: bastion
        }
      }
      {
        name: 'AzureFirewallSubnet'
        properties: {
          addressPrefix: firewall
        }
      }
    ]
  }
}

output networkId string = network.id
output nodesId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'nodes')
output endpointsId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'endpoints')
output adminId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'admin')
