export { deploy } from './deploy.ts';
export { stopService } from './stop-service.ts';
