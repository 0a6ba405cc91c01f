// main.tsx - the console's page begins here.
import { render } from 'preact';
import './style.css';
import { App } from './app';
import { BOOK } from './book';
import { listen } from './keys';
import { startMerchant } from './merchant/store';
import { start } from './store';

// The frame stands in the page itself and is painted before anything is made or asked here.
function begin(): void {
    if (BOOK === 'operator') start();
    else startMerchant();
    listen();
    const root = document.getElementById('app');
    if (!root) return;
    root.replaceChildren();
    render(<App />, root);
}

// A page that nobody sees gets no frames.
if (document.hidden) begin();
else requestAnimationFrame(() => setTimeout(begin));
