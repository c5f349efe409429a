import { targetContract } from './contract.ts';

targetContract('directory');
