import { readFileSync } from 'node:fs';
import test from 'ava';
import { listText } from '#earshot/cli/render/list.js';
import { portText } from '#earshot/cli/render/port.js';
import { parseState } from '#earshot/model/state-check.js';
import { exposure } from '#earshot/reach/exposure.js';
import { trace } from '#earshot/reach/trace.js';

/* A port that ufw denies and Docker publishes: recorded, and told as what it is, open. */

const fixture = new URL('../../../test/fixtures/firewalls/ufw-docker-nft.json', import.meta.url);
const { state: recorded } = JSON.parse(readFileSync(fixture, 'utf8')) as { state: unknown };
const state = parseState(JSON.stringify(recorded));
const view = { width: 80, colour: false, interactive: false };

test('a published port is open to whom rules let through, and says where to', (t) => {
  const exposures = exposure(state, { protocol: 'tcp', localPort: 8080 });
  const question = { port: 8080, protocols: ['tcp'] as const };
  const text = portText(state, question, exposures, new Map(), view);
  const words = text.replaceAll(/\s+/g, ' ');
  t.true(
    words.startsWith(
      '8080/tcp is open to 192.0.2.0/24, 172.17.0.2/31, 172.17.0.4/30 and 28 more via eth0, let through to 172.17.0.2:80.',
    ),
  );
  t.regex(
    words,
    /Let through 192\.0\.2\.0\/24, .* via eth0 Why Rules send it on to 172\.17\.0\.2:80/,
  );
  t.regex(words, /no rule at input is asked/);
  t.notRegex(words, /Unknown/);
  t.regex(
    listText(state, exposures, view).replaceAll(/\s+/g, ' '),
    /28 more via eth0, let through to 172\.17\.0\.2:80/,
  );
});

test('the verdict on one peer says the same', (t) => {
  const { explanation } = trace(state, {
    protocol: 'tcp',
    ingress: 'eth0',
    source: { address: '192.0.2.10' },
    destination: { address: '192.0.2.1', port: 8080 },
  });
  t.is(
    explanation,
    '192.0.2.10 is let through to 172.17.0.2:80 where it asks for 192.0.2.1:8080 (TCP): its destination is translated before it is routed, so that it is forwarded by docker0, and no rule at input is asked. Whether that answers is known there alone.',
  );
});
