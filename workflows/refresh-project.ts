import { waveRows } from './wave-proxies.ts';

/** What a schedule starts: a wave, or one more after that which runs. */
export async function refreshProject({ project }: { readonly project: string }): Promise<void> {
  await waveRows.startRefresh(project);
}
