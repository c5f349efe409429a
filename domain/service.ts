import { z } from 'zod';
import { deploymentContexts } from './deploy/words.ts';
import { defaultRollbackMatrix } from './deploy/policy.ts';

export const serviceName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens, beginning with a letter, at most 63')
  .meta({ description: 'The name of a service.', example: 'web' });

export const boxName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens, at most 63');

const argv = z.array(z.string()).min(1).max(256);
const milliseconds = (least: number, most: number) => z.number().int().min(least).max(most);
const onOff = (defaults: Record<(typeof deploymentContexts)[number], boolean>) =>
  z
    .strictObject({
      self_hosted: z.boolean().default(defaults.self_hosted),
      external: z.boolean().default(defaults.external),
    })
    .prefault({});

export const gitRef = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_./@-]*$/, 'a branch, tag or commit id')
  .refine((ref) => !ref.includes('..') && !ref.includes('@{'), 'not a range');

const sourceSchema = z.strictObject({
  git: z
    .string()
    .min(1)
    .max(2048)
    .refine((url) => /^(https?|ssh|file):\/\/|^\/|^[\w.-]+@[\w.-]+:/.test(url), 'a git URL or an absolute path')
    .meta({ description: 'Git URL, or the absolute path of a repository on the box.' }),
  ref: gitRef.default('HEAD'),
});

const buildStepSchema = z.strictObject({
  argv,
  timeout_ms: milliseconds(1_000, 3_600_000).default(600_000),
});

const runSchema = z.strictObject({
  argv,
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).default({}),
  cwd: z
    .string()
    .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'a path inside the release folder')
    .default('.'),
  stop_timeout_ms: milliseconds(100, 600_000).default(10_000),
});

const probesSchema = z.strictObject({
  http: z.strictObject({ url: z.url({ protocol: /^https?$/ }) }).optional(),
  command: z.strictObject({ argv }).optional(),
  timeout_ms: milliseconds(100, 60_000).default(2_000),
});

const watchSchema = z.strictObject({
  startup_ms: milliseconds(500, 3_600_000).default(60_000),
  stable_ms: milliseconds(500, 3_600_000).default(30_000),
  window_ms: milliseconds(1_000, 7_200_000).default(180_000),
  period_ms: milliseconds(100, 60_000).default(1_000),
  unhealthy_after: z.number().int().min(1).max(100).default(3),
  max_flaps: z.number().int().min(0).max(100).default(3),
});

const policySchema = z.strictObject({
  rollback_on: z
    .strictObject({
      deploy_failure: onOff(defaultRollbackMatrix.deploy_failure),
      watchdog_failure: onOff(defaultRollbackMatrix.watchdog_failure),
      health_failure: onOff(defaultRollbackMatrix.health_failure),
    })
    .prefault({}),
  least_free_disk_bytes: z.number().int().min(0).default(268_435_456),
});

/** What an operator registers: where a service comes from, how it runs, and what it takes for it to be well. */
export const serviceSpecSchema = z
  .strictObject({
    box: boxName.optional().meta({ description: "The machine it runs on; default: the API's own box." }),
    driver: z.literal('process').default('process'),
    deployment_context: z.enum(deploymentContexts).default('self_hosted'),
    source: sourceSchema,
    build: z.array(buildStepSchema).max(32).default([]),
    run: runSchema,
    probes: probesSchema.prefault({}),
    watch: watchSchema.prefault({}),
    policy: policySchema.prefault({}),
    retention: z.strictObject({ keep_releases: z.number().int().min(2).max(1_000).default(5) }).prefault({}),
  })
  .refine(({ watch }) => watch.window_ms >= watch.startup_ms + watch.stable_ms, {
    path: ['watch', 'window_ms'],
    message: 'at least startup_ms + stable_ms',
  })
  .meta({ id: 'ServiceSpec' });

export type ServiceSpecInput = z.input<typeof serviceSpecSchema>;
export type ServiceSpec = z.output<typeof serviceSpecSchema> & { readonly box: string };

const desiredStateSchema = z.object({
  release_id: z.string().nullable(),
  state: z.enum(['running', 'stopped']),
  epoch: z.number().int(),
});
export type DesiredState = z.output<typeof desiredStateSchema>;

/** A service as the API shows it. Values of `run.env` are never shown, only their names. */
export const serviceSchema = z
  .object({
    name: serviceName,
    spec: z.record(z.string(), z.unknown()),
    desired: desiredStateSchema,
    safe_mode: z.boolean(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Service' });
export type Service = z.output<typeof serviceSchema>;

export const releaseSchema = z
  .object({
    release_id: z.string(),
    standing: z.enum(['built', 'good', 'known_bad', 'gone']),
    digest: z.string(),
    config_hash: z.string(),
    built_at: z.iso.datetime(),
    promoted_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Release' });
