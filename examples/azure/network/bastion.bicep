// Azure Bastion, by which administrators reach the machine in the subnet `admin`: `az network bastion ssh`, or the portal.
// It costs money by the hour. With a VPN you do not need it. docs/azure-from-zero.md deploys it.

@description('the region')
param location string = resourceGroup().location

@description('the virtual network of vnet.bicep')
param networkName string = 'scoring'

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' existing = {
  name: networkName
}

resource address 'Microsoft.Network/publicIPAddresses@2024-05-01' = {
  name: 'bastion'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource bastion 'Microsoft.Network/bastionHosts@2024-05-01' = {
  name: 'bastion'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    // For the client of your own machine.
    enableTunneling: true
    ipConfigurations: [
      {
        name: 'default'
        properties: {
          publicIPAddress: {
            id: address.id
          }
          subnet: {
            id: '${network.id}/subnets/AzureBastionSubnet'
          }
        }
      }
    ]
  }
}
