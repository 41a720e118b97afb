import { setTimeout as sleep } from 'node:timers/promises';
import { capture } from '#earshot/kernel/capture.js';
import { type Lab, type LabFlow, withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6, lan } from '../networks.js';
import type { HostDescription } from '../topology.js';
import { holdAgainstKernel } from '../witness.js';

/* What kinds of interface, and states of an interface and of its addresses, do to a flow. */

const test = labTest();
const withBridge = labTest(['bridge']);

const anywhere = (port: number) => both({ address: '::', port, v6only: false });

async function fates(lab: Lab, flows: LabFlow[]): Promise<string[]> {
  const compared = await holdAgainstKernel(lab, flows);
  return [...new Set(compared.map(({ result }) => result.symptom ?? 'reachable'))];
}

const onLan = ['192.0.2.10/24', '2001:db8::10/64'];

withBridge(
  'a port of a bridge that is not forwarding, switched off or while the spanning tree listens, lets nothing in',
  async (t) => {
    const description: HostDescription = {
      interfaces: {
        br0: {
          kind: 'bridge',
          addresses: [`${LAN4}/24`, `${LAN6}/64`],
          peers: { neighbour: { addresses: onLan } },
        },
      },
    };
    await withLab(description, async (lab) => {
      lab.listen(anywhere(80));
      const { interfaces } = await capture({ netns: lab.host.namespace.path });
      const port = interfaces.find(({ master }) => master === 'br0')!;
      t.is(port.portState, 'forwarding');
      const byPort = everyFlow(['neighbour'], [LAN4, LAN6], 80);
      lab.machines.set('neighbour', { ...lab.machine('neighbour'), ingress: port.name });
      t.deepEqual(await fates(lab, byPort), ['reachable']);
      const closed = async () => {
        for (const { result, verdict } of await holdAgainstKernel(lab, byPort)) {
          t.is(result.symptom, 'ETIMEDOUT');
          t.like(verdict.cause, { code: 'port-blocked', interface: port.name, master: 'br0' });
        }
      };
      await lab.namespace('host').run(['bridge', 'link', 'set', 'dev', port.name, 'state', '0']);
      await closed();
      const restart = ['link set br0 down', 'link set br0 up'];
      await lab.ip(['link set br0 type bridge stp_state 1 forward_delay 3000', ...restart]);
      await closed();
    });
  },
);

test('an isolated port, or one that turns packets back, still lets its peer in to the host', async (t) => {
  const description: HostDescription = {
    interfaces: {
      br0: {
        kind: 'bridge',
        addresses: [`${LAN4}/24`, `${LAN6}/64`],
        peers: { neighbour: { addresses: onLan } },
      },
    },
  };
  await withLab(description, async (lab) => {
    lab.listen(anywhere(80));
    await lab.ip(['link set br0-0 type bridge_slave isolated on hairpin on']);
    t.deepEqual(await fates(lab, everyFlow(['neighbour'], [LAN4, LAN6], 80)), ['reachable']);
  });
});

test('a macvlan has nothing to say while the card below it is down', async (t) => {
  const description: HostDescription = {
    interfaces: {
      net0: {
        kind: 'macvlan',
        addresses: [`${LAN4}/24`, `${LAN6}/64`],
        peers: { neighbour: { addresses: onLan } },
      },
    },
  };
  await withLab(description, async (lab) => {
    lab.listen(anywhere(80));
    const flows = everyFlow(['neighbour'], [LAN4, LAN6], 80);
    t.deepEqual(await fates(lab, flows), ['reachable']);
    await lab.ip(['link set net0p down']);
    for (const { result, verdict } of await holdAgainstKernel(lab, flows)) {
      t.is(result.outcome, 'unreachable');
      t.is(verdict.outcome, 'unreachable');
    }
  });
});

test('what comes out of a tunnel is seen on the tunnel, not on the card below it', async (t) => {
  const tunnel = (local: string, remote: string, address: string) => [
    `link add vx0 type vxlan id 7 local ${local} remote ${remote} dstport 4789 dev eth0`,
    'link set vx0 addrgenmode none up',
    `address add ${address}/24 dev vx0`,
    `address add 2001:db8:7::${address.split('.')[3]}/64 dev vx0 nodad`,
  ];
  const description = structuredClone(lan);
  description.interfaces.eth0!.peers!.neighbour!.ip = tunnel('192.0.2.10', LAN4, '10.7.0.2');
  await withLab({ ...description, ip: tunnel(LAN4, '192.0.2.10', '10.7.0.1') }, async (lab) => {
    lab.listen([
      ...both({ address: '0.0.0.0', port: 80, device: 'vx0' }),
      ...both({ address: '::', port: 80, device: 'vx0', v6only: true }),
      ...both({ address: '0.0.0.0', port: 81, device: 'eth0' }),
    ]);
    lab.machines.set('neighbour', { ...lab.machine('neighbour'), ingress: 'vx0' });
    const asked = (port: number, destinations: string[]) =>
      everyFlow(['neighbour'], destinations, port).map((flow) => ({ ...flow, timeoutMs: 1000 }));
    t.deepEqual(await fates(lab, asked(80, ['10.7.0.1', '2001:db8:7::1'])), ['reachable']);
    t.deepEqual(await fates(lab, asked(81, ['10.7.0.1'])), ['ECONNREFUSED']);
  });
});

test('the other end of a point-to-point address is reached by it, and only this end is local', async (t) => {
  const description: HostDescription = {
    interfaces: {
      eth0: {
        addresses: ['10.5.0.1 peer 10.5.0.2'],
        peers: { neighbour: { addresses: ['10.5.0.2 peer 10.5.0.1'] } },
      },
    },
  };
  await withLab(description, async (lab) => {
    lab.listen(both({ address: '0.0.0.0', port: 80 }));
    t.deepEqual(await fates(lab, everyFlow(['neighbour', 'host'], ['10.5.0.1'], 80)), [
      'reachable',
    ]);
    for (const { verdict } of await holdAgainstKernel(lab, everyFlow(['host'], ['10.5.0.2'], 80))) {
      t.is(verdict.cause?.code, 'leaves-this-host');
    }
  });
});

test('an address that failed duplicate address detection answers nobody', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen(anywhere(80));
    const mac = lab.host.ports.eth0!.mac;
    lab.sysctl({ 'net.ipv6.conf.eth0.accept_dad': 1, 'net.ipv6.conf.eth0.dad_transmits': 1 });
    await lab.ip(['address add 2001:db8::10/64 dev eth0']); // the neighbour has it
    for (let tries = 0; tries < 50; tries++) {
      if ((await lab.namespace('host').run(['ip', '-6', 'address'])).includes('dadfailed')) break;
      await sleep(100);
    }
    await lab.ip(['address add 2001:db8::66/64 dev eth0 nodad'], 'neighbour');
    await lab.ip(['address del 2001:db8::10/64 dev eth0'], 'neighbour');
    await lab.ip(
      [`neighbour replace 2001:db8::10 lladdr ${mac} dev eth0 nud permanent`],
      'neighbour',
    );
    const compared = await holdAgainstKernel(lab, everyFlow(['neighbour'], ['2001:db8::10'], 80));
    for (const { result, verdict } of compared) {
      t.is(result.symptom, 'ETIMEDOUT');
      t.like(verdict.cause, { code: 'address-not-ready', state: 'dadfailed' });
    }
  });
});

test('an optimistic address answers before duplicate address detection has passed', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen(anywhere(80));
    const mac = lab.host.ports.eth0!.mac;
    lab.sysctl({
      'net.ipv6.conf.eth0.accept_dad': 1,
      'net.ipv6.conf.eth0.dad_transmits': 30,
      'net.ipv6.conf.eth0.optimistic_dad': 1,
    });
    await lab.namespace('host').ip(['address add 2001:db8::5/64 dev eth0 optimistic']);
    await lab.ip(
      [`neighbour replace 2001:db8::5 lladdr ${mac} dev eth0 nud permanent`],
      'neighbour',
    );
    t.deepEqual(await fates(lab, everyFlow(['neighbour', 'host'], ['2001:db8::5'], 80)), [
      'reachable',
    ]);
  });
});

test('a deprecated address still answers whoever asks for it', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen(anywhere(80));
    const mac = lab.host.ports.eth0!.mac;
    await lab.ip(['address add 2001:db8::5/64 dev eth0 nodad preferred_lft 0']);
    await lab.ip(
      [`neighbour replace 2001:db8::5 lladdr ${mac} dev eth0 nud permanent`],
      'neighbour',
    );
    t.deepEqual(await fates(lab, everyFlow(['neighbour', 'host'], ['2001:db8::5'], 80)), [
      'reachable',
    ]);
  });
});

test('the address of an interface without carrier is still reached by this host, by IPv6 too', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen(anywhere(80));
    await lab.ip(['link set eth0 down'], 'neighbour');
    const compared = await holdAgainstKernel(lab, everyFlow(['host'], [LAN4, LAN6], 80));
    t.deepEqual(
      compared.map(({ result }) => result.outcome),
      ['reachable', 'reachable', 'reachable', 'reachable'],
    );
  });
});

test('an answer of IPv4 whose gateway is one of IPv6 does not leave by an interface where IPv6 is off', async (t) => {
  const ip = [
    'nexthop add id 40 via fe80::10 dev eth0',
    'nexthop add id 49 group 40',
    'route add 203.0.113.0/24 nhid 49',
  ];
  await withLab({ ...lan, ip }, async (lab) => {
    await lab.ip(
      ['address add 203.0.113.9/32 dev eth0', 'address add fe80::10/64 dev eth0 nodad'],
      'neighbour',
    );
    lab.listen(both({ address: '0.0.0.0', port: 80 }));
    const flows = everyFlow(['neighbour'], [LAN4], 80).map((flow) => ({
      ...flow,
      source: { address: '203.0.113.9' },
    }));
    const causes = async () =>
      (await holdAgainstKernel(lab, flows)).map(
        ({ verdict: { outcome, cause } }) => cause?.code ?? outcome,
      );
    t.deepEqual(await causes(), ['reachable', 'reachable']);
    lab.sysctl({ 'net.ipv6.conf.eth0.disable_ipv6': 1 });
    t.deepEqual(await causes(), ['ip-disabled', 'ip-disabled']);
  });
});

test('where no address of IPv6 is left to send from, a route that leads out does not help', async (t) => {
  const ip = ['-6 nexthop add id 60 dev eth0', '-6 route add 2001:db8:7::/48 nhid 60'];
  await withLab({ ...lan, ip }, async (lab) => {
    const symptoms = async () => {
      const flows = everyFlow(['host'], ['2001:db8:7::7'], 80);
      return (await holdAgainstKernel(lab, flows)).map(({ verdict }) => verdict.symptom);
    };
    lab.sysctl({ 'net.ipv6.conf.eth0.disable_ipv6': 1 });
    t.deepEqual(await symptoms(), [null, null]); // it leaves, from ::1
    await lab.ip(['link set lo down']);
    t.deepEqual(await symptoms(), ['EADDRNOTAVAIL', 'EADDRNOTAVAIL']);
  });
});
