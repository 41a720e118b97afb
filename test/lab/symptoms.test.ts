import { withLab } from './harness.js';
import { labTest } from './lab-test.js';
import { both, everyFlow, LAN4, LAN6, lan } from './networks.js';
import { holdAgainstKernel } from './witness.js';

/* What the peer's program sees when a flow fails, by what made it fail. */

const test = labTest();

const anywhere = (port: number) => [
  ...both({ address: '0.0.0.0', port }),
  ...both({ address: '::', port, v6only: true }),
];

const refusals = ['blackhole', 'unreachable', 'prohibit', 'throw'] as const;

/** What a program of this host sees of each route type, and of none at all. */
const local = {
  blackhole: 'EINVAL',
  unreachable: 'EHOSTUNREACH',
  prohibit: 'EACCES',
  throw: 'ENETUNREACH',
};

test('a program of this host is told at once what a route refuses', async (t) => {
  const routes = refusals.flatMap((type, index) => [
    `route add ${type} 10.8.${index}.0/24`,
    `route add ${type} 2001:db8:8${index}::/48`,
  ]);
  await withLab({ ...lan, ip: routes }, async (lab) => {
    for (const [index, type] of refusals.entries()) {
      const flows = everyFlow(['host'], [`10.8.${index}.1`, `2001:db8:8${index}::1`], 80);
      for (const { result } of await holdAgainstKernel(lab, flows))
        t.is(result.symptom, local[type]);
    }
    for (const { result } of await holdAgainstKernel(
      lab,
      everyFlow(['host'], ['10.7.0.1', '2001:db8:7::1'], 80),
    )) {
      t.is(result.symptom, 'ENETUNREACH');
    }
  });
});

test('a policy rule refuses as its route type does, but an unreachable rule is ENETUNREACH', async (t) => {
  const rules = (['blackhole', 'unreachable', 'prohibit'] as const).flatMap((type, index) => [
    `rule add priority 10${index} to 10.9.${index}.0/24 ${type}`,
    `-6 rule add priority 10${index} to 2001:db8:9${index}::/48 ${type}`,
  ]);
  await withLab({ ...lan, ip: rules }, async (lab) => {
    for (const [index, symptom] of ['EINVAL', 'ENETUNREACH', 'EACCES'].entries()) {
      const flows = everyFlow(['host'], [`10.9.${index}.1`, `2001:db8:9${index}::1`], 80);
      for (const { result } of await holdAgainstKernel(lab, flows)) t.is(result.symptom, symptom);
    }
  });
});

for (const type of refusals) {
  test(`a peer whom a ${type} route refuses the answer hears nothing, from an open port or a closed one`, async (t) => {
    const ip = [`route add ${type} 192.0.2.10/32`, `route add ${type} 2001:db8::10/128`];
    await withLab({ ...lan, ip }, async (lab) => {
      lab.listen(anywhere(80));
      for (const port of [80, 81]) {
        const flows = everyFlow(['neighbour'], [LAN4, LAN6], port);
        for (const { result } of await holdAgainstKernel(lab, flows))
          t.is(result.symptom, 'ETIMEDOUT');
      }
    });
  });
}

test('an address that is still tentative answers nobody', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen(anywhere(80));
    const mac = lab.host.ports.eth0!.mac;
    await lab.ip(
      [`neighbour replace 2001:db8::5 lladdr ${mac} dev eth0 nud permanent`],
      'neighbour',
    );
    lab.sysctl({ 'net.ipv6.conf.eth0.accept_dad': 1, 'net.ipv6.conf.eth0.dad_transmits': 30 });
    await lab.ip(['address add 2001:db8::5/64 dev eth0']);
    for (const { result } of await holdAgainstKernel(
      lab,
      everyFlow(['neighbour', 'host'], ['2001:db8::5'], 80),
    )) {
      t.is(result.symptom, 'ETIMEDOUT');
    }
  });
});

test('disable_ipv6 takes the addresses away, and IPv4 stays', async (t) => {
  await withLab({ ...lan, sysctls: { 'net.ipv6.conf.eth0.disable_ipv6': 1 } }, async (lab) => {
    lab.listen(anywhere(80));
    const flows = [
      ...everyFlow(['neighbour'], [LAN4, LAN6], 80),
      ...everyFlow(['host'], [LAN4, LAN6, '::1'], 80),
    ];
    for (const { result, flow } of await holdAgainstKernel(lab, flows)) {
      const gone = flow.destination.address === LAN6;
      const symptom = flow.from === 'host' ? 'ENETUNREACH' : 'ETIMEDOUT';
      t.is(result.symptom, gone ? symptom : null);
    }
  });
});

test('while lo is down the LAN still gets in, and this host reaches none of its own addresses', async (t) => {
  await withLab({ ...lan, loopback: false }, async (lab) => {
    lab.listen(anywhere(80));
    for (const { result } of await holdAgainstKernel(
      lab,
      everyFlow(['neighbour'], [LAN4, LAN6], 80),
    )) {
      t.is(result.outcome, 'reachable');
    }
    for (const { result } of await holdAgainstKernel(lab, everyFlow(['host'], [LAN4, LAN6], 80))) {
      t.is(result.symptom, 'ETIMEDOUT');
    }
    for (const { result } of await holdAgainstKernel(
      lab,
      everyFlow(['host'], ['127.0.0.1', '::1'], 80),
    )) {
      t.is(result.symptom, 'ENETUNREACH');
    }
  });
});

test('a UDP socket that is connected to another peer takes nothing: refused', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([
      { protocol: 'udp', address: LAN4, port: 80, connectedTo: { address: '192.0.2.77', port: 5 } },
    ]);
    const [compared] = await holdAgainstKernel(lab, [
      { from: 'neighbour', protocol: 'udp', destination: { address: LAN4, port: 80 } },
    ]);
    t.is(compared!.result.symptom, 'ECONNREFUSED');
  });
});

test('a TCP socket that is bound and does not listen refuses', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([{ protocol: 'tcp', address: LAN4, port: 80, listen: false }]);
    const [compared] = await holdAgainstKernel(lab, [
      { from: 'neighbour', protocol: 'tcp', destination: { address: LAN4, port: 80 } },
    ]);
    t.is(compared!.result.symptom, 'ECONNREFUSED');
  });
});

test('when the accept queue is full the SYN is dropped', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([{ protocol: 'tcp', address: LAN4, port: 80, backlog: 0, serves: false }]);
    const flows = everyFlow(['neighbour', 'host'], [LAN4], 80).filter(
      ({ protocol }) => protocol === 'tcp',
    );
    t.true((await holdAgainstKernel(lab, flows.slice(0, 1)))[0]!.result.connected);
    for (const { result, verdict } of await holdAgainstKernel(lab, flows)) {
      t.is(result.symptom, 'ETIMEDOUT');
      t.is(verdict.cause?.code, 'accept-queue-full');
    }
  });
});

test('a link-local address is reached on its own link', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen(anywhere(80));
    const address = lab.host.ports.eth0!.linkLocal!;
    const flows = everyFlow(['neighbour'], [address], 80).map((flow) => ({
      ...flow,
      scope: 'eth0',
    }));
    for (const { result } of await holdAgainstKernel(lab, flows)) t.is(result.outcome, 'reachable');
  });
});

test('0.0.0.0/8 and 240.0.0.0/4 are ordinary addresses, as sources and as destinations', async (t) => {
  const description = structuredClone(lan);
  description.interfaces.eth0!.peers!.neighbour!.claims = ['0.1.2.0/24', '240.1.2.0/24'];
  const ip = [
    'address add 0.9.9.9/32 dev eth0',
    'address add 240.9.9.9/32 dev eth0',
    'route add default via 192.0.2.10',
  ];
  await withLab({ ...description, ip }, async (lab) => {
    lab.listen(both({ address: '0.0.0.0', port: 80, answerFrom: 'asked' }));
    const flows = ['0.1.2.3', '240.1.2.3'].flatMap((address) =>
      everyFlow(['neighbour'], [LAN4, '0.9.9.9', '240.9.9.9'], 80).map((flow) => ({
        ...flow,
        source: { address },
      })),
    );
    for (const { result } of await holdAgainstKernel(lab, flows)) t.is(result.outcome, 'reachable');
  });
});
