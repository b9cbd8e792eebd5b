import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp } from './support/app.ts';

let parley: TestApp;
beforeAll(async () => {
  parley = await createTestApp();
});
afterAll(() => parley.close());

it('/metrics tells Prometheus what was counted', async () => {
  parley.app.metrics.inventedCitations.inc(2);
  parley.app.metrics.runs.inc({ status: 'SUCCEEDED' });
  const response = await fetch(`${parley.url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain');
  const text = await response.text();
  expect(text).toContain('parley_invented_citations_total 2');
  expect(text).toContain('parley_runs_total{status="SUCCEEDED"} 1');
});
