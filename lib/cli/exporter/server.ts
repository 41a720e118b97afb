import { createServer, type Server } from 'node:http';
import type { Metrics, Snapshot } from './metrics.js';

const page = `<!doctype html><html lang="en"><title>earshot exporter</title>
<h1>earshot exporter</h1><p><a href="/metrics">Metrics</a></p></html>
`;

/** The HTTP side: /metrics in the form asked for, a page at /, and nothing else. */
export function metricsServer(metrics: Metrics, read: () => Promise<Snapshot>): Server {
  let reading: Promise<void> | null = null;
  const refresh = async (): Promise<void> => {
    const start = performance.now();
    metrics.observe(await read(), (performance.now() - start) / 1000);
  };
  return createServer(async (request, response) => {
    const answer = (status: number, type: string, body: string, more = {}): void => {
      response.writeHead(status, {
        'Content-Type': type,
        'Content-Length': Buffer.byteLength(body),
        ...more,
      });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const plain = 'text/plain; charset=utf-8';
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, plain, 'GET and HEAD only\n', { Allow: 'GET, HEAD' });
      return;
    }
    const path = (request.url ?? '').split('?')[0];
    if (path === '/') return answer(200, 'text/html; charset=utf-8', page);
    if (path !== '/metrics') return answer(404, plain, 'not found: see /metrics\n');
    // Who asks while it is read shares what is read.
    reading ??= refresh().finally(() => {
      reading = null;
    });
    try {
      await reading;
    } catch (error) {
      metrics.failed();
      answer(500, plain, `${error instanceof Error ? error.message : error}\n`);
      return;
    }
    const accept = request.headers.accept ?? '';
    const { type, body } = await metrics.text(accept.includes('application/openmetrics-text'));
    answer(200, type, body);
  });
}
