import { parse } from 'yaml';
import { images } from '../../infra/stack/download/upstream.ts';
import { composeOn, demandCompose } from '../support/containers/compose.ts';

/** What docker-compose makes of infra/compose.yaml; only what is looked at here. */
interface Configured {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

interface Service {
  readonly image: string;
  readonly build?: { readonly args: Readonly<Record<string, string>> };
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly unknown[];
  readonly restart?: string;
  readonly healthcheck?: { readonly disable?: boolean };
  readonly security_opt?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

async function configured(env: Readonly<Record<string, string>> = {}): Promise<Configured> {
  const compose = composeOn({ project: 'holdfast-config', env });
  return parse(await compose(['--profile', 'worker', 'config'])) as Configured;
}

let usual: Configured;
beforeAll(async () => {
  await demandCompose();
  usual = await configured();
}, 300_000);

const imagesOf = ({ services }: Configured) =>
  Object.fromEntries(Object.entries(services).map(([name, { image }]) => [name, image]));

test('the images are those of infra/stack/download/upstream.ts', () => {
  expect(imagesOf(usual)).toEqual({
    holdfast: 'holdfast:local',
    worker: 'holdfast:local',
    postgres: images.postgres,
    'temporal-schema': images.temporalAdminTools,
    temporal: images.temporalServer,
    'temporal-ui': images.temporalUi,
    qdrant: images.qdrant,
  });
});

test('every image, the base and the ports can be named by the environment', async () => {
  const given = await configured({
    HOLDFAST_IMAGE: 'i/holdfast',
    POSTGRES_IMAGE: 'i/postgres',
    TEMPORAL_TOOLS_IMAGE: 'i/tools',
    TEMPORAL_IMAGE: 'i/temporal',
    TEMPORAL_UI_IMAGE: 'i/ui',
    QDRANT_IMAGE: 'i/qdrant',
    HOLDFAST_BASE: 'i/base',
    HOLDFAST_BUILD_SHA: 'abc',
    HOLDFAST_API_PORT: '1234',
    HOLDFAST_SECRETS: '/elsewhere',
  });
  expect(Object.values(imagesOf(given)).every((image) => image.startsWith('i/'))).toBe(true);
  expect(given.services['holdfast']?.build?.args).toMatchObject({ BASE: 'i/base', build_sha: 'abc' });
  expect(JSON.stringify(given.services['holdfast']?.ports)).toMatch(/127\.0\.0\.1.*1234/);
  expect(given.secrets['qdrant_api_key']?.file).toBe('/elsewhere/qdrant_api_key');
});

test('only loopback is published, and of that the API and the page of Temporal', () => {
  const published = Object.entries(usual.services).filter(([, { ports = [] }]) => ports.length > 0);
  expect(published.map(([name]) => name).sort()).toEqual(['holdfast', 'temporal-ui']);
  for (const [, { ports = [] }] of published)
    for (const port of ports) expect(JSON.stringify(port)).toContain('127.0.0.1');
});

test('secrets are files, and no variable holds one', () => {
  expect(Object.keys(usual.secrets).sort()).toEqual([
    'database_url',
    'postgres_password',
    'qdrant_api_key',
    'temporal_database_password',
  ]);
  for (const { environment = {} } of Object.values(usual.services)) {
    for (const [name, value] of Object.entries(environment)) {
      if (/PASSWORD|PWD|KEY|TOKEN|DATABASE_URL/.test(name))
        expect(`${name}=${value}`).toMatch(/_FILE=\/run\/secrets\//);
    }
  }
});

test('what keeps running is started again, watched, and may gain no rights', () => {
  for (const [name, service] of Object.entries(usual.services)) {
    const ends = name === 'temporal-schema';
    expect([name, service.restart]).toEqual([name, ends ? undefined : 'unless-stopped']);
    expect([name, service.security_opt]).toEqual([name, ['no-new-privileges:true']]);
    // That of Postgres changes to its own user, for which it needs them.
    expect([name, service.cap_drop]).toEqual([name, name === 'postgres' ? undefined : ['ALL']]);
  }
  const { postgres, temporal, qdrant } = usual.services;
  for (const server of [postgres, temporal, qdrant]) expect(server?.healthcheck).toBeDefined();
});

test('each starts when what it needs is there', () => {
  const needs = (name: string) =>
    Object.fromEntries(
      Object.entries(usual.services[name]?.depends_on ?? {}).map(([needed, { condition }]) => [needed, condition]),
    );
  const healthy = 'service_healthy';
  for (const name of ['holdfast', 'worker'])
    expect(needs(name)).toEqual({ postgres: healthy, temporal: healthy, qdrant: healthy });
  expect(needs('temporal')).toEqual({ postgres: healthy, 'temporal-schema': 'service_completed_successfully' });
  expect(needs('temporal-schema')).toEqual({ postgres: healthy });
});

test('all data is in volumes with names', () => {
  expect(Object.keys(usual.volumes).sort()).toEqual(['holdfast', 'postgres', 'qdrant', 'qdrant-snapshots', 'worker']);
});
