import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { inRoot } from '../support/paths.mjs';
import { StepError } from '../support/step.mjs';
import { env } from './host.mjs';

const url = 'http://127.0.0.1:19747/metrics';

/**
 * The sample of a host's exporter: of its metrics those whose lines hold a text, by curl and grep.
 * @param {string} text
 */
export async function metricsSample(text) {
  const child = spawn(process.execPath, [inRoot('dist/earshot.js'), 'exporter'], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  try {
    const [said] = await once(child.stderr.setEncoding('utf8'), 'data');
    const lines = (await metrics()).split('\n').filter((line) => line.includes(text));
    const asked = `$ curl -s ${url.replace('http://', '')} | grep ${text}`;
    return `$ earshot exporter &\n${said.trimEnd()}\n${[asked, ...lines].join('\n')}\n`;
  } finally {
    child.kill();
    await ended;
  }
}

/** The metrics, when it has been worked out who reaches each listener, the exporter's own included. */
async function metrics() {
  for (let tries = 0; tries < 100; tries += 1) {
    const page = await (await fetch(url)).text();
    if (/earshot_watch_up 1/.test(page) && !/listener_sockets\{.*"unknown"/.test(page)) return page;
    await wait(100);
  }
  throw new StepError('the exporter does not tell who reaches the listeners', 'see its metrics');
}
