import { z } from 'zod';
import { filesSchema } from './backup/file-set.ts';
import { defaultRollbackMatrix } from './deploy/policy.ts';
import { deploymentContexts, drivers, outcomes, releaseSources, type DriverName } from './deploy/words.ts';

export const serviceName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens, beginning with a letter, at most 63')
  .meta({ description: 'The name of a service.', examples: ['web'] });

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

const gitSourceSchema = z.strictObject({
  git: z
    .string()
    .min(1)
    .max(2048)
    .refine((url) => /^(https?|ssh|file):\/\/|^\/|^[\w.-]+@[\w.-]+:/.test(url), 'a git URL or an absolute path')
    .meta({ description: 'Git URL, or the absolute path of a repository on the box.' }),
  ref: gitRef.default('HEAD'),
});

const imageSourceSchema = z.strictObject({
  image: z
    .string()
    .regex(/^[a-z0-9][A-Za-z0-9._/:@-]{0,254}$/, 'the name of an image, with a tag or digest')
    .meta({ description: 'An image of the box, or one to be pulled.', examples: ['traefik/whoami:v1.10'] }),
});

const buildStepSchema = z.strictObject({
  argv,
  timeout_ms: milliseconds(1_000, 3_600_000).default(600_000),
});

const env = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string());

const runSchema = z.strictObject({
  argv: argv
    .optional()
    .meta({ description: 'What to run; an image may have its own. `{port}` is the port it is given.' }),
  env: env.default({}),
  cwd: z
    .string()
    .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'a path inside the release folder')
    .default('.'),
  stop_timeout_ms: milliseconds(100, 600_000).default(10_000),
});

const port = z.number().int().min(1).max(65_535);
const inContainer = z.string().regex(/^\/[^:\0]*$/, 'an absolute path in the container');

/** What only a container has (driver `docker`). */
const containerSchema = z.strictObject({
  dockerfile: z
    .string()
    .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'a path inside the source')
    .default('Dockerfile'),
  ports: z
    .array(
      z.strictObject({
        container: port,
        host: z.union([port, z.literal('{port}')]),
        address: z.union([z.ipv4(), z.ipv6()]).default('127.0.0.1'),
        protocol: z.enum(['tcp', 'udp']).default('tcp'),
      }),
    )
    .max(64)
    .default([]),
  volumes: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'the name of a volume'),
        target: inContainer,
        read_only: z.boolean().default(false),
      }),
    )
    .max(64)
    .default([]),
  binds: z
    .array(
      z.strictObject({
        source: z.string().regex(/^\/[^:\0]*$/, 'an absolute path on the box'),
        target: inContainer,
        read_only: z.boolean().default(false),
      }),
    )
    .max(64)
    .default([]),
  networks: z
    .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'the name of a network'))
    .max(16)
    .default([]),
  memory_bytes: z.number().int().min(6_291_456).optional(),
  user: z.string().max(100).optional(),
  healthcheck: z
    .strictObject({
      argv,
      interval_ms: milliseconds(1_000, 3_600_000).default(30_000),
      timeout_ms: milliseconds(1_000, 600_000).default(10_000),
      retries: z.number().int().min(1).max(100).default(3),
      start_period_ms: milliseconds(0, 3_600_000).default(0),
    })
    .optional(),
  labels: z.record(z.string().min(1).max(200), z.string().max(4_096)).default({}),
});

/** The operator's own argv (driver `command`). Release ids come in the environment, never in a shell. */
const commandsSchema = z.strictObject({
  deploy: argv.optional(),
  rollback: argv
    .optional()
    .meta({ description: 'Without it nothing can be rolled back: `rollback_executor_missing`.' }),
  stop: argv.optional(),
  identity: argv.optional().meta({
    description:
      'Prints what runs: a release id, or JSON with `release_id` and optionally `running`, `pid`, `started_at`, `restart_count`, `exit_code`, `build_sha`.',
  }),
  releases: argv
    .optional()
    .meta({ description: 'Row D3, `command`: prints JSON `{release_id, previous_release_id}`.' }),
  logs: argv.optional().meta({ description: 'Row D3, `runtime_logs`: prints the last lines of its log.' }),
  timeout_ms: milliseconds(1_000, 3_600_000).default(600_000),
});

const probeUrl = z
  .string()
  .max(2_048)
  .refine(
    (text) => z.url({ protocol: /^https?$/ }).safeParse(text.replaceAll('{port}', '1')).success,
    'an http(s) URL',
  );
const httpProbe = z.strictObject({ url: probeUrl });
const commandProbe = z.strictObject({ argv });

const probesSchema = z.strictObject({
  http: httpProbe.optional(),
  command: commandProbe.optional(),
  timeout_ms: milliseconds(100, 60_000).default(2_000),
  liveness: z
    .strictObject({ http: httpProbe.optional(), command: commandProbe.optional() })
    .refine(({ http, command }) => (http === undefined) !== (command === undefined), 'either http or command')
    .optional()
    .meta({
      description: 'What must hold for it not to be restarted; default: that it runs. Readiness never restarts.',
    }),
});

/** What the service needs and does not own. One that was down before cut-over is no fault of the release (row D7). */
const dependencySchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
    http: z.strictObject({ url: z.url({ protocol: /^https?$/ }) }).optional(),
    tcp: z.strictObject({ host: z.string().min(1).max(255), port }).optional(),
  })
  .refine(({ http, tcp }) => (http === undefined) !== (tcp === undefined), 'either http or tcp');

const watchSchema = z
  .strictObject({
    startup_ms: milliseconds(500, 3_600_000).default(60_000),
    stable_ms: milliseconds(500, 3_600_000).default(30_000),
    window_ms: milliseconds(1_000, 7_200_000).default(180_000),
    period_ms: milliseconds(100, 60_000).default(1_000),
    unhealthy_ms: milliseconds(100, 3_600_000).default(30_000),
    max_flaps: z.number().int().min(0).max(100).default(6),
    soak_ms: milliseconds(0, 2_592_000_000)
      .default(3_600_000)
      .meta({ description: 'So long a promoted release counts as young: when it fails, it is rolled back.' }),
    idle_period_ms: milliseconds(100, 3_600_000)
      .default(5_000)
      .meta({ description: 'Between two looks after the deploy, for as long as the service lives.' }),
    restart: z
      .strictObject({
        burst: z.number().int().min(1).max(100).default(5),
        delay_ms: milliseconds(0, 3_600_000).default(1_000),
        window_ms: milliseconds(1_000, 86_400_000).default(600_000),
      })
      .refine(({ burst, delay_ms, window_ms }) => window_ms > burst * delay_ms, {
        path: ['window_ms'],
        message: 'more than burst × delay_ms, or the breaker never opens',
      })
      .prefault({}),
  })
  .refine(({ window_ms, startup_ms, stable_ms }) => window_ms >= startup_ms + stable_ms, {
    path: ['window_ms'],
    message: 'at least startup_ms + stable_ms',
  });

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'HH:MM');
const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** Times, in UTC, in which nothing is deployed. A rollback is never held up by one. */
const freezeSchema = z.union([
  z.strictObject({ from: z.iso.datetime(), to: z.iso.datetime(), reason: z.string().min(1).max(500) }),
  z.strictObject({
    days: z.array(z.enum(weekdays)).min(1),
    from: timeOfDay,
    to: timeOfDay.meta({ description: 'Before `from`: on the next day.' }),
    reason: z.string().min(1).max(500),
  }),
]);
export type FreezeWindow = z.output<typeof freezeSchema>;

const policySchema = z.strictObject({
  rollback_on: z
    .strictObject({
      deploy_failure: onOff(defaultRollbackMatrix.deploy_failure),
      watchdog_failure: onOff(defaultRollbackMatrix.watchdog_failure),
      health_failure: onOff(defaultRollbackMatrix.health_failure),
    })
    .prefault({}),
  approval: z
    .strictObject({
      required: z.boolean().default(false),
      timeout_ms: milliseconds(1_000, 604_800_000).default(3_600_000),
      default: z.enum(['allow', 'deny']).default('deny'),
    })
    .prefault({}),
  accept_no_rollback: z
    .boolean()
    .default(false)
    .meta({ description: 'Standing consent to stop-first deploys whose rollback would be denied.' }),
  freeze: z.array(freezeSchema).max(100).default([]),
  recovery_point_max_age_ms: milliseconds(60_000, 31_536_000_000)
    .nullable()
    .default(null)
    .meta({ description: 'Refuse a deploy when the newest proven recovery point is older; null: do not ask.' }),
  least_free_disk_bytes: z.number().int().min(0).default(268_435_456),
});

/** Row D11: where the world reaches the service while releases change behind it. */
const trafficSchema = z.strictObject({
  listen: z.strictObject({ host: z.union([z.ipv4(), z.ipv6()]).default('127.0.0.1'), port }),
  drain_ms: milliseconds(0, 600_000).default(10_000),
  caddy: z
    .strictObject({ admin: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:2019') })
    .optional()
    .meta({ description: "An existing Caddy, by its admin API; default: Holdfast's own forwarder." }),
});
export type TrafficSpec = z.output<typeof trafficSchema>;

/** What an operator registers: where a service comes from, how it runs, and what it takes for it to be well. */
export const serviceSpecSchema = z
  .strictObject({
    box: boxName.optional().meta({ description: "The machine it runs on; default: the API's own box." }),
    driver: z.enum(drivers).default('process'),
    deployment_context: z.enum(deploymentContexts).default('self_hosted'),
    source: z.union([gitSourceSchema, imageSourceSchema]).optional(),
    build: z.array(buildStepSchema).max(32).default([]),
    run: runSchema.prefault({}),
    container: containerSchema.optional(),
    commands: commandsSchema.optional(),
    traffic: trafficSchema.optional(),
    probes: probesSchema.prefault({}),
    dependencies: z.array(dependencySchema).max(32).default([]),
    release_sources: z.array(z.enum(releaseSources)).min(1).optional().meta({
      description: 'Row D3: the order in which release ids are asked for.',
    }),
    watch: watchSchema.prefault({}),
    policy: policySchema.prefault({}),
    files: filesSchema.optional().meta({
      description: 'Folders whose contents go into recovery points; `exclude`: globs of paths under them.',
    }),
    retention: z.strictObject({ keep_releases: z.number().int().min(2).max(1_000).default(5) }).prefault({}),
  })
  .superRefine((spec, context) => {
    for (const [path, message] of misfits(spec)) context.addIssue({ code: 'custom', path: [...path], message });
  })
  .meta({ id: 'ServiceSpec' });

type Misfit = readonly [path: readonly string[], message: string];

/** What each driver needs, and what would be passed over in silence if it were not refused. */
function misfits(spec: {
  driver: DriverName;
  source?: object | undefined;
  build: readonly object[];
  run: { argv?: readonly string[] | undefined; env: Readonly<Record<string, string>> };
  container?: { ports: readonly { host: number | string }[] } | undefined;
  commands?: Partial<Record<'deploy' | 'rollback' | 'stop' | 'identity', readonly string[] | undefined>> | undefined;
  traffic?: object | undefined;
  probes: { http?: { url: string } | undefined };
}): Misfit[] {
  const { driver, source, build, run, container, commands, traffic, probes } = spec;
  const found: Misfit[] = [];
  const need = (holds: boolean, path: readonly string[], message: string): void => {
    if (!holds) found.push([path, message]);
  };
  need(driver === 'command' || source !== undefined, ['source'], `the ${driver} driver needs one`);
  need(driver !== 'process' || run.argv !== undefined, ['run', 'argv'], 'the process driver needs one');
  need(
    driver !== 'process' || source === undefined || 'git' in source,
    ['source'],
    'the process driver builds from git',
  );
  need(driver === 'process' || build.length === 0, ['build'], 'only the process driver has build steps');
  need(driver === 'docker' || container === undefined, ['container'], 'only for the docker driver');
  need(driver !== 'command' || commands?.deploy !== undefined, ['commands', 'deploy'], 'the command driver needs one');
  for (const verb of ['deploy', 'rollback', 'stop', 'identity'] as const) {
    need(driver === 'command' || commands?.[verb] === undefined, ['commands', verb], 'only for the command driver');
  }

  const taken = [...(run.argv ?? []), ...Object.values(run.env)].some((text) => text.includes('{port}'));
  const takesPort = taken || (container?.ports.some(({ host }) => host === '{port}') ?? false);
  const probesPort = probes.http?.url.includes('{port}') ?? false;
  need(traffic === undefined || takesPort, ['traffic'], 'needs {port} in run.argv, run.env or container.ports');
  need(traffic !== undefined || !takesPort, ['traffic'], '{port} needs traffic.listen: who would find the service?');
  need(
    takesPort || !probesPort,
    ['probes', 'http', 'url'],
    '{port} is in neither run.argv, run.env nor container.ports',
  );
  need(
    !takesPort || probes.http === undefined || probesPort,
    ['probes', 'http', 'url'],
    'must contain {port}, or it asks the release before',
  );
  return found;
}

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

/** Row D2: a release, who deployed it when, and what came of it. */
export const releaseSchema = z
  .object({
    release_id: z.string(),
    standing: z.enum(['built', 'good', 'known_bad', 'gone']),
    digest: z.string(),
    config_hash: z.string(),
    branch: z.string().nullable(),
    committed_at: z.iso.datetime().nullable(),
    schema_version: z.number().int().nullable(),
    schema_reads_to: z.number().int().nullable(),
    built_at: z.iso.datetime(),
    promoted_at: z.iso.datetime().nullable(),
    soaked_at: z.iso.datetime().nullable().meta({ description: 'Good for soak_ms after its promotion.' }),
    last_deploy_id: z.string().nullable(),
    deployed_by: z.string().nullable(),
    deployed_at: z.iso.datetime().nullable(),
    outcome: z.enum(outcomes).nullable(),
  })
  .meta({ id: 'Release' });
export type Release = z.output<typeof releaseSchema>;
