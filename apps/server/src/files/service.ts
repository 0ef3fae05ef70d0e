export { fileLinks } from './links.ts';
