import { join } from 'node:path';
import { serviceName } from '../../domain/service.ts';

/** Where a service's files are under `root`. The name is checked here, so that no name leads out of `root`. */
export function serviceFolder(root: string, service: string): string {
  if (!serviceName.safeParse(service).success) throw new Error(`Not the name of a service: ${JSON.stringify(service)}`);
  return join(root, service);
}
