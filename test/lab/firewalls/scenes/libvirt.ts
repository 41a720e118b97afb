import { everyFlow, LAN4, routed } from '../../networks.js';
import { everybody, type Scene, serveEverywhere } from '../scene.js';

/** The network that guests of one machine have behind NAT. */
export const libvirt: Scene = {
  name: 'libvirt',
  tools: ['libvirtd', 'virsh'],
  host: {
    ...routed,
    interfaces: {
      ...routed.interfaces,
      eth1: {
        addresses: [],
        peers: {
          guest: {
            addresses: ['192.168.122.10/24'],
            ip: ['route add default via 192.168.122.1'],
          },
        },
      },
    },
  },
  // Of its drivers only the one for networks; guests are plugged into the bridge by hand.
  start: `
drivers=$(echo /usr/lib/*/libvirt/connection-driver)
mkdir -p "$D/drivers" "$D/lib"
cp "$drivers/libvirt_driver_network.so" "$D/drivers/"
mount --bind "$D/drivers" "$drivers"
mount --bind "$D/lib" /var/lib
own /etc/libvirt
cat > "$D/libvirtd.conf" <<FILE
auth_unix_ro = "none"
auth_unix_rw = "none"
FILE
cat > "$D/network.xml" <<FILE
<network>
  <name>lab</name>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='off' delay='0'/>
  <dns enable='no'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'/>
</network>
FILE
libvirtd -f "$D/libvirtd.conf" -p /run/libvirtd.pid > "$D/log" 2>&1 &
daemon=$!
until_true virsh -c network:///system net-list
virsh -c network:///system net-create "$D/network.xml"
ip link set eth1 master virbr0
`,
  stop: 'virsh -c network:///system net-destroy lab; kill $daemon; wait $daemon',
  serve: serveEverywhere,
  flows: [
    ...everybody,
    ...everyFlow(['guest'], ['192.168.122.1', LAN4, '192.0.2.10'], 9000),
    ...everyFlow(['guest'], ['192.168.122.1'], 53),
    // Nobody outside reaches a guest: what would is refused.
    ...everyFlow(['remote'], ['192.168.122.10'], 9000),
  ],
};
