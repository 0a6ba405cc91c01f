// main.tsx - the console's page begins here.
import { render } from 'preact';
import './style.css';
import { App } from './app';
import { BOOK } from './book';
import { listen } from './keys';
import { startMerchant } from './merchant/store';
import { start } from './store';

if (BOOK === 'operator') start();
else startMerchant();
listen();
const root = document.getElementById('app');
if (root) render(<App />, root);
