// Where a workspace's provider may not lie, in all the ways in which that can be written: nobody there is ever called.
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertBaseUrl, ForbiddenAddressError, isForbidden, readNetwork, type AddressRules, type Resolve } from '../../src/models/addresses.ts';
import { classifyProviderError } from '../../src/models/failures.ts';
import { createOutbound, type Outbound } from '../../src/models/outbound.ts';
import { createTestApp } from '../support/app.ts';
import { startListener, type Listener } from '../support/listener.ts';

const key = 'sk-never-to-be-sent-0123456789';

/** Hosts that are this machine, or are where only this machine gets to. */
const hosts = {
  decimal: ['2130706433', '127.1', '127.0.1', '127.000.000.001', '127.255.255.254'],
  octal: ['0177.0.0.1', '017700000001', '0177.1', '00000177.0.0.1'],
  hexadecimal: ['0x7f.0.0.1', '0x7f000001', '0x7f.1', '0X7F.0X0.0X0.0X1'],
  mixed: ['0x7f.0.0.01', '127.0x1', '0177.0x0.1'],
  zero: ['0.0.0.0', '0', '0x0', '00', '0.0', '[::]', '[0:0:0:0:0:0:0:0]'],
  IPv6: ['[::1]', '[0:0:0:0:0:0:0:1]', '[0000:0000:0000:0000:0000:0000:0000:0001]', '[::0:1]'],
  'IPv4 within IPv6': ['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::FFFF:169.254.169.254]', '[0:0:0:0:0:ffff:127.0.0.1]', '[::127.0.0.1]', '[::7f00:1]', '[::ffff:0:127.0.0.1]', '[64:ff9b::127.0.0.1]', '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2002:7f00:1::1]', '[2001:0:7f00:1::80ff:fffe]'],
  'own networks': ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', '100.64.0.1', '198.18.0.1', '[fc00::1]', '[fd12:3456:789a::1]', '[fec0::1]', '[fe80::1]', '[febf::1]', '169.254.0.1'],
  'metadata services': ['169.254.169.254', '0xa9fea9fe', '2852039166', '0251.0376.0251.0376', '169.16689662', '100.100.100.200', '192.0.0.192', '168.63.129.16', '[fd00:ec2::254]', '[::ffff:a9fe:a9fe]', '[fe80::a9fe:a9fe]'],
  'nobody and everybody': ['255.255.255.255', '224.0.0.1', '240.0.0.1', '192.0.2.1', '[ff02::1]', '[100::1]', '[2001:db8::1]', '[4000::1]'],
  names: ['localhost', 'LOCALHOST', 'localhost.', 'LocalHost', '127.0.0.1.', '0x7f.1.'],
  'percent-encoded': ['127%2e0%2e0%2e1', '%31%32%37.0.0.1', '%6c%6f%63%61%6c%68%6f%73%74', '%5b::1%5d', '127.0.0.1%2f'],
  'other characters': ['１２７.０.０.１', '127。0。0。1', '127．0．0．1', '127｡1', '①②⑦.0.0.1', 'ⓛⓞⓒⓐⓛⓗⓞⓢⓣ', 'ｌｏｃａｌｈｏｓｔ', '127.0.0.1\u00ad', '127.0.\u200b0.1', 'loc\talhost', '127.0\n.0.1', '[::1%25lo]', '[::1%lo]'],
};

/** The rest of an address around a host: who is at the end of it is not who seems to be. */
const disguises = [
  (here: string) => `http://user@${here}/v1`,
  (here: string) => `http://user:password@${here}/v1`,
  (here: string) => `http://api.openai.com@${here}/v1`,
  (here: string) => `http://api.openai.com%2f@${here}/v1`,
  (here: string) => `http://api.openai.com#@${here}/v1`.replace('#', '%23'),
  (here: string) => `http://${here}#@api.openai.com/v1`,
  (here: string) => `http://${here}?@api.openai.com/v1`,
  (here: string) => `http://${here}\\@api.openai.com/v1`,
  (here: string) => `http:\\\\${here}\\v1`,
  (here: string) => `http:/${here}/v1`,
  (here: string) => `http:${here}/v1`,
  (here: string) => `http:////${here}/v1`,
  (here: string) => ` \thttp://${here}/v1 `,
  (here: string) => `ht\ntp://${here}/v1`,
  (here: string) => `HTTP://${here}/v1`,
  (here: string) => `https://${here}/v1`,
  (here: string) => `ws://${here}/v1`,
  (here: string) => `ftp://${here}/v1`,
  (here: string) => `//${here}/v1`,
  (here: string) => here,
];

/** Names as somebody's name service may have them. */
const names: Record<string, readonly (readonly [string, 4 | 6])[]> = {
  'private.example': [['127.0.0.1', 4]],
  'private6.example': [['::1', 6]],
  'mapped.example': [['::ffff:127.0.0.1', 6]],
  'inside.example': [['10.1.2.3', 4]],
  'metadata.example': [['169.254.169.254', 4]],
  'public-first.example': [['93.184.216.34', 4], ['127.0.0.1', 4]],
  'private-first.example': [['127.0.0.1', 4], ['93.184.216.34', 4]],
  'public-and-v6.example': [['93.184.216.34', 4], ['::1', 6]],
  'nat64.example': [['64:ff9b::7f00:1', 6]],
  'nonsense.example': [['not-an-address', 4]],
  'nowhere.example': [],
};
/** Of names that it does not know the system is asked: "localhost". */
const resolve: Resolve = (name, done) => {
  const found = names[name];
  if (found) done(null, found.map(([address, family]) => ({ address, family })));
  else if (/^localhost\.?$/.test(name)) done(null, [{ address: '127.0.0.1', family: 4 }, { address: '::1', family: 6 }]);
  else done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }), []);
};

const rules: AddressRules = { allowed: [], plainHttp: true, resolve };
let listener: Listener;
let outbound: Outbound;
let spellings: string[];
beforeAll(async () => {
  listener = await startListener((socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}')));
  outbound = createOutbound({ poolSize: 4, connectTimeoutMs: 20_000, rules });
  const { port } = listener;
  spellings = [
    ...[...Object.values(hosts).flat(), ...Object.keys(names)].map((host) => `http://${host}:${port}/v1`),
    ...disguises.map((disguise) => disguise(`127.0.0.1:${port}`)),
  ];
});
afterAll(async () => {
  await outbound.close();
  await listener.close();
});

const fetchAsWorkspace = (through = outbound) => through.fetchFor({ owner: 'WORKSPACE', apiKey: key });

describe('a forbidden address', () => {
  it('is refused in every spelling as a base URL, with a reason', async () => {
    for (const spelling of spellings) {
      const error = await assertBaseUrl(spelling, rules, ['baseUrl']).then((url) => `${JSON.stringify(spelling)} became ${url}`, (reason: unknown) => reason);
      expect(error, String(error)).toMatchObject({ name: 'ValidationError', field: ['baseUrl'], message: expect.stringMatching(/^The base URL .* cannot be used\. .+\.$/s) });
    }
    expect(listener.connections).toBe(0);
  });

  it('is not connected to in any spelling, though it was stored by whatever means', async () => {
    const reached: string[] = [];
    for (const spelling of spellings) {
      const answer = await fetchAsWorkspace()(spelling, { method: 'POST', headers: { authorization: `Bearer ${key}` }, body: '{}' }).catch((reason: unknown) => reason);
      if (answer instanceof Response) reached.push(spelling);
      // Refused by us, or no address at all: not an attempt that failed.
      const reason = answer instanceof TypeError && answer.cause !== undefined ? answer.cause : answer;
      if (!(reason instanceof ForbiddenAddressError) && !/ERR_INVALID_URL|ENOTFOUND/.test((reason as { code?: string }).code ?? '')) reached.push(`${spelling}: ${String(reason)}`);
      expect(inspect(answer, { depth: 10 })).not.toContain(key);
    }
    expect(reached).toEqual([]);
    expect(spellings.length).toBeGreaterThanOrEqual(40);
    console.info(`${spellings.length} spellings of forbidden addresses: ${listener.connections} connections`);
    expect(listener.connections).toBe(0);
  });

  it('is refused by the API, and a stored one is not called', async () => {
    const parley = await createTestApp();
    try {
      const ada = await parley.signUp('Ada');
      const upsert = async (input: object) => (await ada.ask('mutation ($input: UpsertProviderInput!) { upsertProvider(input: $input) { provider { id } userErrors { code field ... on ValidationError { constraint } } } }', { input: { name: 'Theirs', kind: 'OPENAI_COMPATIBLE', apiKey: key, models: [{ name: 'm', capabilities: ['CHAT'] }], ...input } })).upsertProvider;
      const { port } = listener;
      const some = [...Object.values(hosts).map(([host]) => `http://${host}:${port}/v1`), ...disguises.slice(0, 8).map((disguise) => disguise(`127.0.0.1:${port}`))];
      for (const baseUrl of some) expect(await upsert({ baseUrl }), baseUrl).toMatchObject({ provider: null, userErrors: [{ code: 'VALIDATION_FAILED', field: ['baseUrl'] }] });
      // As if it had been allowed once.
      const { provider } = await upsert({ baseUrl: 'http://93.184.216.34/v1' });
      const { Provider } = await import('../../src/providers/entity.ts');
      const { announceProviders } = await import('../../src/providers/catalog.ts');
      for (const baseUrl of some.slice(0, 4)) {
        await parley.app.database.fork().nativeUpdate(Provider, { key: 'theirs' }, { baseUrl });
        announceProviders({ app: parley.app, workspaceId: Buffer.from(ada.workspaceId, 'base64url').toString().split(':')[1] ?? ada.workspaceId } as never);
        const { testProvider } = await ada.ask('mutation ($id: ID!) { testProvider(input: { providerId: $id }) { latencyMs userErrors { __typename } } }', { id: provider.id });
        expect(testProvider).toEqual({ latencyMs: null, userErrors: [{ __typename: 'ProviderError' }] });
      }
      expect(listener.connections).toBe(0);
    } finally {
      await parley.close();
    }
  });

  it('is not connected to by a name that was public when it was entered', async () => {
    const answers = [['93.184.216.34'], ['127.0.0.1'], ['127.0.0.1']];
    let asked = 0;
    const turning: AddressRules = { ...rules, resolve: (_name, done) => done(null, (answers[asked++] ?? []).map((address) => ({ address, family: 4 }))) };
    const own = createOutbound({ poolSize: 1, connectTimeoutMs: 20_000, rules: turning });
    const url = `http://turning.example:${listener.port}/v1`;
    expect(await assertBaseUrl(url, turning, ['baseUrl'])).toBe(url);
    const error = await fetchAsWorkspace(own)(url).catch((reason: unknown) => reason);
    expect((error as Error).cause).toBeInstanceOf(ForbiddenAddressError);
    expect(classifyProviderError(error)).toMatchObject({ code: 'PROVIDER_REJECTED' });
    expect([asked, listener.connections]).toEqual([2, 0]);
    await own.close();
  });
});

describe('what may be reached', () => {
  it('public addresses', () => {
    for (const address of ['93.184.216.34', '8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8', '172.32.0.1', '100.128.0.1', '11.0.0.1']) expect([address, isForbidden(address, [])]).toEqual([address, false]);
  });

  it('networks that an operator allows, and nothing beside them', async () => {
    const allowed = ['127.0.0.1', 'fd00::/8', '10.1.0.0/16'].map(readNetwork);
    const own = createOutbound({ poolSize: 1, connectTimeoutMs: 20_000, rules: { ...rules, allowed } });
    const before = listener.connections;
    for (const host of ['127.0.0.1', '0x7f.1', 'private.example', '[::ffff:127.0.0.1]']) {
      const url = `http://${host}:${listener.port}`;
      expect(await assertBaseUrl(url, { ...rules, allowed }, ['baseUrl'])).toBe(new URL(url).href.replace(/\/$/, ''));
      expect((await fetchAsWorkspace(own)(url)).status).toBe(200);
    }
    const reached = listener.connections;
    expect(reached).toBeGreaterThan(before);
    for (const host of ['[::1]', '127.0.0.2', 'localhost', 'public-and-v6.example']) await expect(fetchAsWorkspace(own)(`http://${host}:${listener.port}`)).rejects.toThrow();
    expect(listener.connections).toBe(reached);
    expect([isForbidden('10.1.2.3', allowed), isForbidden('10.2.0.1', allowed), isForbidden('fd12::1', allowed), isForbidden('fc00::1', allowed)]).toEqual([false, true, false, true]);
    await own.close();
  });

  it('anything for a provider of the installation', async () => {
    const before = listener.connections;
    expect((await outbound.fetchFor({ owner: 'INSTALLATION', apiKey: key })(`http://127.0.0.1:${listener.port}`)).status).toBe(200);
    expect(listener.connections).toBe(before + 1);
  });

  it('public addresses in production by HTTPS only, allowed networks also without', async () => {
    const production: AddressRules = { ...rules, plainHttp: false, allowed: [readNetwork('127.0.0.1')] };
    await expect(assertBaseUrl('http://93.184.216.34/v1', production, ['baseUrl'])).rejects.toThrow('It must begin with https://.');
    expect(await assertBaseUrl('https://93.184.216.34/v1/', production, ['baseUrl'])).toBe('https://93.184.216.34/v1');
    expect(await assertBaseUrl('http://127.0.0.1/v1', production, ['baseUrl'])).toBe('http://127.0.0.1/v1');
    const own = createOutbound({ poolSize: 1, connectTimeoutMs: 20_000, rules: production });
    await expect(fetchAsWorkspace(own)('http://93.184.216.34/v1')).rejects.toThrow(ForbiddenAddressError);
    await own.close();
  });

  it('nothing that is no network is taken for one', () => {
    for (const text of ['', 'localhost', '127.1', '10.0.0.0/33', '10.0.0.0/', '2130706433', '::/129', '0x7f.0.0.1', '10.0.0.0/8/8']) expect(() => readNetwork(text), text).toThrow(RangeError);
    for (const text of ['10.0.0.0/8', '10.0.0.1', 'fd00::/8', '::1']) expect(readNetwork(text)).toHaveLength(2);
  });
});
