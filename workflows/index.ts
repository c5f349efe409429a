export { deploy } from './deploy.ts';
export { stopService } from './stop-service.ts';
export { watchService } from './watch-service.ts';
