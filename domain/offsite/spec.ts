import { z } from 'zod';

export const targetNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'lower-case letters, digits and hyphens, 40 at most')
  .meta({ id: 'OffsiteTargetName', examples: ['nas'] });

/** Control characters would end a line of ssh's configuration, quotes an argument in it, and a percent sign is an escape. */
const localPath = z
  .string()
  .regex(/^\/[^\p{Cc}"%\\]+$/u, 'an absolute path, without quotes, backslashes or percent signs');
/** What a shell at the other end could make something of is left out: rsync names it there. */
const remotePath = z
  .string()
  .regex(/^\/?[A-Za-z0-9_@+][A-Za-z0-9._/@+-]*$/, 'a plain path: letters, digits and . _ / @ + -');

/** Where a secret is; its value is never kept. */
const secretRefSchema = z.union([
  z.strictObject({ file: localPath }),
  z.strictObject({ env: z.string().regex(/^[A-Z][A-Z0-9_]{0,99}$/, 'the name of a variable') }),
]);
export type SecretRef = z.infer<typeof secretRefSchema>;

const ssh = {
  host: z.string().regex(/^[A-Za-z0-9:][A-Za-z0-9.:_-]{0,252}$/, 'a host name or an address'),
  port: z.int().min(1).max(65_535).default(22),
  user: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/, 'a user name'),
  path: remotePath,
  host_keys: z
    .array(z.string().regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/]{40,}={0,3}$/, 'a public key: its type and its base64'))
    .min(1)
    .describe('The public keys of the host, as `ssh-keyscan` prints them behind its name. No other is spoken to.'),
  identity_file: localPath.describe('A private key without a passphrase, which only its owner can read.'),
};

const directory = z.strictObject({ kind: z.literal('directory'), path: localPath });
const sftp = z.strictObject({ kind: z.literal('sftp'), ...ssh });
const rsync = z.strictObject({ kind: z.literal('rsync'), ...ssh });
const s3 = z.strictObject({
  kind: z.literal('s3'),
  /** null: Amazon's own, by region. */
  endpoint: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null),
  region: z.string().min(1).default('us-east-1'),
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of a bucket'),
  prefix: z
    .string()
    .regex(/^([A-Za-z0-9_][A-Za-z0-9._/-]*[A-Za-z0-9_])?$/, 'a plain prefix, without a slash at its ends')
    .default(''),
  path_style: z.boolean().default(true),
  access_key_id: secretRefSchema,
  secret_access_key: secretRefSchema,
});

/** Row B5: another place for recovery points. Names of secrets, never secrets. */
export const targetSpecSchema = z
  .discriminatedUnion('kind', [directory, sftp, rsync, s3])
  .meta({ id: 'OffsiteTargetSpec', description: 'Another place for recovery points, and how it is spoken to.' });
export type TargetSpec = z.infer<typeof targetSpecSchema>;
export type SshSpec = Extract<TargetSpec, { kind: 'sftp' | 'rsync' }>;
export type S3Spec = Extract<TargetSpec, { kind: 's3' }>;
export type SftpSpec = Extract<TargetSpec, { kind: 'sftp' }>;
export type RsyncSpec = Extract<TargetSpec, { kind: 'rsync' }>;
