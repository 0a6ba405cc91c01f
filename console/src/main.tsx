// main.tsx - the console's page begins here.
import { render } from 'preact';
import './style.css';
import { App } from './app';
import { listen } from './keys';
import { start } from './store';

start();
listen();
const root = document.getElementById('app');
if (root) render(<App />, root);
