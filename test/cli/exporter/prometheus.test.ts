import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { repositoryRoot } from '../../support/repository.js';
import { requires } from '../../support/requirements.js';
import { eventually, freePort, listening, running, serving, until } from './running.js';

/* What Prometheus makes of the metrics, the alerts and the dashboard: its own tools and a real server. */

const prometheus = requires('tool:prometheus', 'tool:promtool');
const alerts = join(repositoryRoot, 'docs/prometheus/alerts.yml');
const alertsTest = join(repositoryRoot, 'test/fixtures/prometheus/alerts.test.yml');
const dashboard = join(repositoryRoot, 'docs/prometheus/dashboard.json');

function promtool(t: ExecutionContext, args: readonly string[], input = ''): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  t.is(status, 0, stdout + stderr);
}

/** Expressions of the dashboard, its variables in place. */
function dashboardExpressions(): string[] {
  const { panels } = JSON.parse(readFileSync(dashboard, 'utf8')) as {
    panels: { targets: { expr: string }[] }[];
  };
  return panels.flatMap(({ targets }) =>
    targets.map(({ expr }) =>
      expr
        .replaceAll('$__rate_interval', '1m')
        .replaceAll('$instance', '.*')
        .replaceAll('$job', '.+'),
    ),
  );
}

/** The metrics that an expression or a rule names. */
const namesIn = (text: string): string[] => text.match(/\b(?:earshot|process)_[a-z_]+\b/g) ?? [];

prometheus('promtool has nothing to say about names, units and help', async (t) => {
  const { url } = await serving(t);
  await listening(t);
  await fetch(`${url}/metrics`, { headers: { accept: 'application/openmetrics-text' } });
  promtool(t, ['check', 'metrics'], await (await fetch(`${url}/metrics`)).text());
});

prometheus('the alert rules are well formed', (t) => promtool(t, ['check', 'rules', alerts]));

prometheus('each alert is raised when it should be, and not before', (t) => {
  promtool(t, ['test', 'rules', alertsTest]);
  const names = (text: string) => new Set(text.match(/Earshot[A-Za-z]+/g));
  t.deepEqual(names(readFileSync(alertsTest, 'utf8')), names(readFileSync(alerts, 'utf8')));
});

prometheus('alerts and dashboard name metrics that are exported, and no others', async (t) => {
  const { url } = await serving(t);
  const text = await (await fetch(`${url}/metrics`)).text();
  const exported = new Set(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_sum`, `${name}_count`, `${name}_bucket`] : [name],
    ),
  );
  const rules = readFileSync(alerts, 'utf8')
    .split('\n')
    .filter((line) => !/^\s*(#|summary|description)/.test(line));
  const named = new Set([...dashboardExpressions(), ...rules].flatMap(namesIn));
  t.true(named.size > 12);
  t.deepEqual(
    [...named].filter((name) => !exported.has(name)),
    [],
  );
});

prometheus(
  'a real server scrapes it, answers queries, and takes the rules and the dashboard',
  async (t) => {
    const exporter = await serving(t);
    const port = await listening(t);
    await eventually(exporter.url, new RegExp(`port="${port}".*scope="host"`));
    const api = await server(t, exporter.at);

    const up = async () => (await query(api, 'up{job="earshot"}'))[0]?.value[1] === '1';
    await until(up, { whatElse: () => 'the target is not up' });
    const labels = `protocol="tcp", address="127.0.0.1", port="${port}"`;
    const [told] = await query(api, `earshot_listener_sockets{${labels}}`);
    t.is(told?.value[1], '1');
    t.is(told?.metric.scope, 'host');
    t.is(told?.metric.process, 'node');
    t.is(told?.metric.instance, exporter.at);
    const [sum] = await query(api, 'sum(earshot_listeners{protocol="tcp", scope="host"})');
    t.true(Number(sum?.value[1]) >= 2);
    // Prometheus asks for OpenMetrics, whose counters are declared by another name.
    await until(
      async () =>
        (await query(api, 'rate(earshot_exposure_changes_total{was="none", scope="host"}[5s])'))
          .length === 1,
      { whatElse: () => 'no rate of the counter' },
    );
    const targets = await get(api, 'targets');
    t.is(targets.activeTargets[0].lastError, '');
    const metadata = await get(api, 'metadata?metric=earshot_exposure_changes');
    t.deepEqual(Object.keys(metadata), ['earshot_exposure_changes']);

    const healths = async (): Promise<string[]> =>
      (await get(api, 'rules')).groups.flatMap(({ rules }: { rules: { health: string }[] }) =>
        rules.map(({ health }) => health),
      );
    await until(async () => (await healths()).every((health) => health !== 'unknown'), {
      whatElse: () => 'the rules are not evaluated',
    });
    t.deepEqual(new Set(await healths()), new Set(['ok']));
    for (const expression of dashboardExpressions()) {
      await t.notThrowsAsync(query(api, expression), expression);
    }
  },
);

/** Debian's Prometheus with the rules, and the exporter as its target: the address of its API. */
async function server(t: ExecutionContext, target: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-prometheus-'));
  const file = join(directory, 'prometheus.yml');
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [alerts],
    scrape_configs: [{ job_name: 'earshot', static_configs: [{ targets: [target] }] }],
  };
  writeFileSync(file, JSON.stringify(config)); // which is YAML
  promtool(t, ['check', 'config', file]);
  const at = `127.0.0.1:${await freePort()}`;
  const { child, errors } = running(t, 'prometheus', [
    ...[`--config.file=${file}`, `--storage.tsdb.path=${join(directory, 'data')}`],
    `--web.listen-address=${at}`,
  ]);
  t.teardown(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null)
      await new Promise((resolve) => child.once('exit', resolve));
    rmSync(directory, { recursive: true, force: true });
  });
  const ready = async () => (await fetch(`http://${at}/-/ready`).catch(() => null))?.ok === true;
  await until(ready, { whatElse: () => errors.text });
  return `http://${at}/api/v1`;
}

// biome-ignore lint/suspicious/noExplicitAny: what another program says
async function get(api: string, path: string): Promise<any> {
  const answer = await (await fetch(`${api}/${path}`)).json();
  const { status, data, error } = answer as { status: string; data: unknown; error?: string };
  if (status !== 'success') throw new Error(`${path}: ${error}`);
  return data;
}

type Sample = { metric: Record<string, string>; value: [time: number, value: string] };

async function query(api: string, expression: string): Promise<Sample[]> {
  return (await get(api, `query?query=${encodeURIComponent(expression)}`)).result;
}
