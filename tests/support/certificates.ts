import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Certificates of a test's own, made here so that no key lies in the repository and no other program is needed.

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly caPath: string;
  /** PEM files for `name`, which is also the host name of a server. */
  issue(name: string): Issued & { readonly certPath: string; readonly keyPath: string };
}

/** An authority of its own, whose files are in `folder`. */
export function createAuthority(folder: string, name = 'test-ca'): Authority {
  const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const file = (path: string, text: string): string => {
    writeFileSync(join(folder, path), text, { mode: 0o600 });
    return join(folder, path);
  };
  const caPath = file(`${name}.pem`, certificate({ name, issuer: name, key: ca.publicKey, signedBy: ca.privateKey }));
  return {
    caPath,
    issue(subject) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const cert = certificate({ name: subject, issuer: name, key: publicKey, signedBy: ca.privateKey });
      const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      return { cert, key, certPath: file(`${subject}.pem`, cert), keyPath: file(`${subject}.key`, key) };
    },
  };
}

interface Subject {
  readonly name: string;
  readonly issuer: string;
  readonly key: KeyObject;
  readonly signedBy: KeyObject;
}

/** X.509 version 3, valid for this century's second quarter, in PEM. */
function certificate({ name, issuer, key, signedBy }: Subject): string {
  const algorithm = sequence(oid(ecdsaWithSha256));
  const isAuthority = name === issuer;
  const constraints = sequence(oid('551d13'), boolean(true), octets(sequence(...(isAuthority ? [boolean(true)] : []))));
  const alternativeName = sequence(oid('551d11'), octets(sequence(tagged(0x82, Buffer.from(name)))));
  const toBeSigned = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    distinguishedName(issuer),
    sequence(utcTime('250101000000Z'), utcTime('491231235959Z')),
    distinguishedName(name),
    key.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(constraints, ...(isAuthority ? [] : [alternativeName]))),
  );
  const signature = tagged(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', toBeSigned, signedBy)]));
  const text = sequence(toBeSigned, algorithm, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${text.trimEnd()}\n-----END CERTIFICATE-----\n`;
}

const ecdsaWithSha256 = '2a8648ce3d040302';
const commonName = '550403';

function distinguishedName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(oid(commonName), tagged(0x0c, Buffer.from(name)))));
}

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const short = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...short]), content]);
}
function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}
function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'));
}
function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}
function boolean(value: boolean): Buffer {
  return tagged(0x01, Buffer.from([value ? 0xff : 0]));
}
function octets(content: Buffer): Buffer {
  return tagged(0x04, content);
}
function utcTime(text: string): Buffer {
  return tagged(0x17, Buffer.from(text));
}
