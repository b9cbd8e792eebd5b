// People who use a running Parley over HTTP and WebSocket, whatever process serves them.
import { randomUUID } from 'node:crypto';
import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';

// biome-ignore lint: answers are read by the test that wrote the query.
type Data = any;

export interface Answer {
  readonly status: number;
  readonly data: Data;
  readonly errors: readonly { message: string; path?: unknown[]; extensions?: { code?: string; requestId?: string } }[] | undefined;
}

export interface Subscription {
  /** Results so far. */
  readonly events: Data[];
  /** The first event (seen or to come) that satisfies the predicate; rejects when the stream ends before. */
  until(predicate: (event: Data) => boolean): Promise<Data>;
  /** Resolves when the stream has ended, with its error if it had one. */
  readonly ended: Promise<unknown>;
  stop(): void;
}

export interface TestUser {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly workspaceId: string;
  request(query: string, variables?: object): Promise<Answer>;
  /** As `request`; throws on top-level errors and returns the data. */
  ask(query: string, variables?: object): Promise<Data>;
  subscribe(query: string, variables?: object): Subscription;
  /** The same person at another instance. */
  at(door: Door): TestUser;
}

/** The way in to one instance. */
export interface Door {
  readonly url: string;
  /** Asks as a guest, or with a token. */
  request(query: string, variables?: object, token?: string): Promise<Answer>;
  /** Registers somebody new, with a workspace of their own. */
  signUp(name?: string): Promise<TestUser>;
  /** A new user in another's workspace. */
  signUpInto(owner: TestUser, role: string): Promise<TestUser>;
  userOf(accessToken: string, rest: Person): TestUser;
  /** Closes the clients. */
  leave(): Promise<void>;
}

export type Person = Omit<TestUser, 'accessToken' | 'request' | 'ask' | 'subscribe' | 'at'>;

export const password = 'Str0ng-pass-word!';

/** Opens the door at a server's address. */
export function visit(url: string): Door {
  const clients: Client[] = [];

  const request: Door['request'] = async (query, variables = {}, token) => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
        // One that is kept may be closed by a server in this same process just when it is used again: both were busy for longer
        // than it was to be kept.
        connection: 'close',
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ query, variables }),
    });
    const body = (await response.json()) as { data: Data; errors?: Answer['errors'] };
    return { status: response.status, data: body.data, errors: body.errors };
  };

  const userOf: Door['userOf'] = (accessToken, rest) => ({
    ...rest,
    accessToken,
    request: (query, variables) => request(query, variables, accessToken),
    async ask(query, variables) {
      const answer = await request(query, variables, accessToken);
      if (answer.errors) throw new Error(JSON.stringify(answer.errors));
      return answer.data;
    },
    subscribe: (query, variables = {}) => {
      const client = createClient({
        url: `${url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${accessToken}` },
        retryAttempts: 0,
      });
      clients.push(client);
      return follow(client, query, variables);
    },
    at: (door) => door.userOf(accessToken, rest),
  });

  const signUp = async (name = 'Ada'): Promise<TestUser> => {
    const email = `${randomUUID()}@example.test`;
    const answer = await request(
      `mutation ($input: RegisterInput!) { register(input: $input) { user { id } tokens { accessToken refreshToken } userErrors { message } } }`,
      { input: { email, password, name } },
    );
    const { user, tokens } = answer.data.register;
    const me = await request('{ viewer { workspace { id } } }', {}, tokens.accessToken);
    return userOf(tokens.accessToken, { id: user.id, email, password, refreshToken: tokens.refreshToken, workspaceId: me.data.viewer.workspace.id });
  };

  return {
    url,
    request,
    signUp,
    userOf,
    async signUpInto(owner, role) {
      const user = await signUp(role);
      await owner.ask(`mutation ($input: AddMemberInput!) { addMember(input: $input) { userErrors { message } } }`, { input: { email: user.email, role } });
      const answer = await request(
        `mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken refreshToken } userErrors { message } } }`,
        { input: { email: user.email, password, workspaceId: owner.workspaceId } },
      );
      const { tokens } = answer.data.login;
      return userOf(tokens.accessToken, { ...user, refreshToken: tokens.refreshToken, workspaceId: owner.workspaceId });
    },
    async leave() {
      for (const client of clients) await client.dispose();
    },
  };
}

/** Collects what a subscription sends. */
export function follow(client: Client, query: string, variables: object): Subscription {
  const events: Data[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const each of waiting) each();
  };
  let over = false;
  const ended = Promise.withResolvers<unknown>();
  const finish = (error: unknown): void => {
    over = true;
    ended.resolve(error);
    wake();
  };
  const stop = client.subscribe(
    { query, variables: variables as Record<string, unknown> },
    {
      next: (result) => {
        if (result.errors) events.push({ errors: result.errors });
        else events.push(result.data);
        wake();
      },
      error: finish,
      complete: () => finish(null),
    },
  );
  return {
    events,
    ended: ended.promise,
    stop,
    async until(predicate) {
      for (;;) {
        const hit = events.find(predicate);
        if (hit !== undefined) return hit;
        if (over) throw new Error(`The subscription ended (${JSON.stringify(await ended.promise)}) after ${JSON.stringify(events)}`);
        await new Promise<void>((resolve) => {
          const once = (): void => {
            waiting.delete(once);
            resolve();
          };
          waiting.add(once);
        });
      }
    },
  };
}
