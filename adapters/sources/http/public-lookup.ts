import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { PermanentFailure } from '../../../domain/failures.ts';
import { isPrivateAddress } from '../../../domain/source/address.ts';

/**
 * Looks a name up for one connection, which then goes to the address that was looked at: asked for again, the name could
 * mean another. Fails for a name of which any address is private.
 */
export const publicLookup: LookupFunction = (host, options, done) => {
  lookup(host, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    const [first] = addresses;
    if (error !== null) done(error, '', 0);
    else if (first === undefined || addresses.some(({ address }) => isPrivateAddress(address)))
      done(refused(host), '', 0);
    else if (options.all === true) done(null, addresses);
    else done(null, first.address, first.family);
  });
};

/** What no lookup is asked for: an address in the place of a name. */
export function refusePrivateLiteral({ hostname }: URL): void {
  const address = hostname.replace(/^\[|\]$/g, '');
  if (isIP(address) !== 0 && isPrivateAddress(address)) throw refused(hostname);
}

function refused(host: string): PermanentFailure {
  return new PermanentFailure(
    'SourceRefused',
    `${host} is an address of this machine or of a private network. A source that may ask those says allow_private.`,
  );
}
