import { BadPosition, type LogSource } from '../../../adapters/drivers/log-source.ts';
import { createServiceLog } from '../../../adapters/logs/service-log.ts';
import type { StoredInstance } from '../../../adapters/postgres/instances.ts';
import { serviceSpecSchema } from '../../../domain/service.ts';

interface ModelInstance {
  readonly row: StoredInstance;
  count: number;
  /** So many of its first lines were rotated away. */
  dropped: number;
  running: boolean;
  pruned: boolean;
}

const spec = { ...serviceSpecSchema.parse({ driver: 'command', commands: { deploy: ['deploy'] } }), box: 'box' };

/** A service in memory: instances that say `<seq>.<number>`, their logs, and the log of the service over them. */
export function modelService() {
  const instances: ModelInstance[] = [];
  /** What happens right after each answer that the log of the service gets: the world does not wait for it. */
  const meanwhile: (() => void)[] = [];
  const then = <T>(value: T): T => {
    meanwhile.shift()?.();
    return value;
  };

  const named = (name: string): ModelInstance => {
    const found = instances.find(({ row }) => row.instance === name);
    if (found === undefined) throw new Error(`no instance ${name}`);
    return found;
  };
  const piece = ({ row, count }: ModelInstance, from: number, to: number, truncated: boolean) => ({
    lines: Array.from({ length: to - from }, (_, index) => `${row.seq}.${from + index}`),
    ...{ start: String(from), next: String(to), end: String(count), truncated, more: to < count },
  });
  const source: LogSource = {
    async read({ instance }, from, limit) {
      const model = named(instance);
      const wanted = Number(from ?? 0);
      if (model.pruned) return then({ ...piece(empty(model), 0, 0, wanted > 0), lost_end: true });
      if (!(wanted <= model.count)) throw new BadPosition();
      const start = Math.max(wanted, model.dropped);
      return then(piece(model, start, Math.min(start + limit, model.count), start > wanted));
    },
    async tail({ instance }, limit) {
      const model = named(instance);
      if (model.pruned) return then({ ...piece(empty(model), 0, 0, false), lost_end: true });
      return then(piece(model, Math.max(model.dropped, model.count - limit), model.count, false));
    },
  };

  function start(wanted = true): ModelInstance {
    const seq = (instances.at(-1)?.row.seq ?? 0) + 2;
    const row = { instance: `i${seq}.candidate`, service: 'web', seq, wanted, spec } as StoredInstance;
    const model = { row, count: 0, dropped: 0, running: true, pruned: false };
    instances.push(model);
    return model;
  }

  return {
    instances,
    meanwhile,
    start,
    log: createServiceLog({
      instances: {
        list: async (_service, from) =>
          then(instances.map(({ row }) => row).filter(({ seq }) => seq > (from?.after ?? 0))),
      },
      sourceOf: (driver) => (driver === 'command' ? source : null),
      isRunning: async ({ instance }) => then(named(instance).running),
    }),
  };
}

const empty = (model: ModelInstance): ModelInstance => ({ ...model, count: 0 });
