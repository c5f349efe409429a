import { randomUUID } from 'node:crypto';
import type { Sql } from '../../adapters/postgres/connect.ts';
import { createInstanceStore, type StoredInstance } from '../../adapters/postgres/instances.ts';
import { createServiceStore } from '../../adapters/postgres/services.ts';
import { serviceSpecSchema } from '../../domain/service.ts';

const spec = serviceSpecSchema.parse({
  source: { git: 'https://example.org/web.git' },
  run: { argv: ['node', 'web.js'] },
});

/** A registered service, and rows of its starts as deploys would write them. */
export async function placedInstances(ops: Sql, service: string, box: string) {
  const ofBox = { ...spec, box };
  await createServiceStore(ops).register(service, ofBox);
  const deploy_id = randomUUID();
  await ops`
    insert into deploys (id, service, kind, actor, request, result, workflow_id)
    values (${deploy_id}, ${service}, 'deploy', 'tester', '{}', '{}', ${`deploy/${service}`})`;
  const store = createInstanceStore(ops);
  return {
    store,
    place: (instance: string): Promise<StoredInstance> =>
      store.place({
        ...{ instance, service, release_id: 'a'.repeat(40), deploy_id, run_id: randomUUID(), role: 'candidate' },
        ...{ spec: ofBox, config_hash: 'c', digest: 'd', port: null },
        provenance: { build_sha: 'a'.repeat(40), build_time: null, build_branch: null },
      }),
    giveUp: (instance: string) => store.giveUp(service, [instance]),
  };
}
