// The GraphQL-over-HTTP specification, by the suite of its authors: https://github.com/graphql/graphql-http
import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';

let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  parley = await createTestApp();
  ada = await parley.signUp();
});
afterAll(() => parley.close());

const audits = serverAudits({
  url: () => `${parley.url}/graphql`,
  fetchFn: (url: string, init: RequestInit = {}) =>
    fetch(url, { ...init, headers: { authorization: `Bearer ${ada.accessToken}`, 'graphql-require-preflight': 'yes', ...init.headers } }),
});

it('is held against all 61 audits', () => {
  expect(audits).toHaveLength(61);
});

for (const audit of audits) {
  it(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    expect(result.status, 'reason' in result ? result.reason : '').toBe('ok');
  });
}
