// Where a workspace's providers may lie. Whoever sets a base URL makes this server send requests, so it must not reach what
// only this server can: machines beside it, itself, and the metadata services of clouds (request forgery, OWASP A10).
import { lookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { ValidationError, type FieldPath } from '../platform/errors.ts';

/** A network in CIDR notation, read. */
export type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

export interface AddressRules {
  /** Networks that may be reached although they are not public. */
  readonly allowed: readonly Network[];
  /** Whether plain HTTP is good enough for public addresses. */
  readonly plainHttp: boolean;
  /** Finds all addresses of a name; that of the system unless a test says otherwise. */
  readonly resolve?: Resolve;
}

export type Resolve = (name: string, done: (error: Error | null, addresses: readonly LookupAddress[]) => void) => void;

/** A network or a single address; throws a RangeError for anything else. */
export function readNetwork(text: string): Network {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !ipaddr.IPv6.isValid(text)) throw new RangeError(`"${text}" is neither a network, such as 10.1.0.0/16, nor an address.`);
  const address = ipaddr.parse(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

/** What a provider of a workspace must not be sent to. */
export class ForbiddenAddressError extends Error {
  override readonly name = 'ForbiddenAddressError';
}

/** Clouds answer their machines at public addresses, too. */
const metadata = new Set(['168.63.129.16']);

/** Whether an address, in any spelling, is neither public nor allowed. */
export function isForbidden(text: string, allowed: readonly Network[]): boolean {
  if (!ipaddr.isValid(text)) return true;
  // IPv4 within IPv6 is judged as IPv4.
  const address = ipaddr.process(text);
  if (allowed.some(([network, bits]) => address.kind() === network.kind() && address.match(network as ipaddr.IPv4 & ipaddr.IPv6, bits))) return false;
  if (address.range() !== 'unicast' || metadata.has(address.toString())) return true;
  // Of IPv6 only 2000::/3 is given out; what lies elsewhere may be IPv4 in an old disguise.
  return address.kind() === 'ipv6' && !address.match(globalUnicast);
}

const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3') as unknown as [ipaddr.IPv4 & ipaddr.IPv6, number];

/** The address that a URL names by itself; null for a name that has to be resolved. */
function literal({ hostname }: URL): string | null {
  const text = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return ipaddr.isValid(text) ? text : null;
}

/** Throws ForbiddenAddressError for a URL that can be refused without asking anybody. */
export function assertTarget(url: URL, { allowed, plainHttp }: AddressRules): void {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new ForbiddenAddressError('It must begin with https:// or http://.');
  if (url.username !== '' || url.password !== '') throw new ForbiddenAddressError('It must not contain a user name or password.');
  const address = literal(url);
  if (address !== null && isForbidden(address, allowed)) throw new ForbiddenAddressError('It does not lead to a public address.');
  if (url.protocol === 'http:' && !plainHttp && (address === null || isForbidden(address, []) === false)) throw new ForbiddenAddressError('It must begin with https://.');
}

/**
 * Looks a name up for a connection, and refuses it when any of its addresses is forbidden: what was checked is what is
 * connected to, whatever the name says a moment later.
 */
export function guardedLookup({ allowed, resolve = resolveBySystem }: AddressRules): LookupFunction {
  return (name, options, done) => {
    resolve(name, (error, addresses) => {
      if (error) return done(error, []);
      const [first] = addresses;
      if (!first || addresses.some(({ address }) => isForbidden(address, allowed))) return done(new ForbiddenAddressError('The name does not lead to a public address.'), []);
      if (options.all === true) done(null, [...addresses]);
      else done(null, first.address, first.family);
    });
  };
}

const resolveBySystem: Resolve = (name, done) => lookup(name, { all: true }, done);

/** The base URL of a workspace's provider, without a slash at the end; throws ValidationError. Asks the name service, nobody else. */
export async function assertBaseUrl(text: string, rules: AddressRules, field: FieldPath): Promise<string> {
  const refuse = (why: string, constraint: string): ValidationError => new ValidationError(`The base URL ${JSON.stringify(text.slice(0, 200))} cannot be used. ${why}`, field, constraint);
  if (text.length > 2_000 || !URL.canParse(text)) throw refuse('It is not an address such as https://models.example.com/v1.', 'format');
  const url = new URL(text);
  if (url.search !== '' || url.hash !== '') throw refuse('It must end before "?" and "#".', 'format');
  try {
    assertTarget(url, rules);
    if (literal(url) === null) {
      await new Promise<void>((found, failed) =>
        guardedLookup(rules)(url.hostname, { all: true }, (error) => (error ? failed(error) : found())));
    }
  } catch (error) {
    if (error instanceof ForbiddenAddressError) throw refuse(`${error.message} Use a public address, or ask the operator to allow its network.`, 'address');
    throw refuse('Its name is not known. Check it.', 'resolvable');
  }
  return url.href.replace(/\/+$/, '');
}
