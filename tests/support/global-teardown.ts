import { testServers } from './global-setup.ts';

export default async function teardown(): Promise<void> {
  await testServers.stop?.();
}
