import type { Instance } from '../../domain/deploy/instance.ts';

/** What Holdfast writes on what it makes in Docker, and finds it again by. */
export const label = {
  home: 'holdfast.home',
  service: 'holdfast.service',
  release: 'holdfast.release',
  instance: 'holdfast.instance',
  deploy: 'holdfast.deploy',
  run: 'holdfast.run',
  step: 'holdfast.step',
  config: 'holdfast.config',
  dockerfile: 'holdfast.dockerfile',
  schemaVersion: 'holdfast.schema.version',
  schemaReadsTo: 'holdfast.schema.reads_to',
} as const;

export type Labels = Readonly<Record<string, string>>;

export function labelsOf(home: string, instance: Instance): Record<string, string> {
  return {
    [label.home]: home,
    [label.service]: instance.service,
    [label.release]: instance.release_id,
    [label.instance]: instance.instance,
    [label.deploy]: instance.deploy_id,
    [label.run]: instance.run_id,
    [label.step]: instance.role,
    [label.config]: instance.config_hash,
  };
}

/** For Docker's list of containers: those that carry all of these. */
export function carrying(labels: Labels): { label: string[] } {
  return { label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) };
}

/** Deploy ids are unique, so the name says it all; people read it in `docker ps`. */
export function containerName(service: string, instance: string): string {
  return `holdfast-${service}-${instance}`;
}

/** The tag that keeps an image from being pruned as dangling. */
export function tagOf(service: string, release_id: string): { repo: string; tag: string } {
  const short = /^sha256:([0-9a-f]{12})/.exec(release_id)?.[1];
  return { repo: `holdfast/${service}`, tag: short ?? release_id };
}
