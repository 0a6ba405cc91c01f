// Shows a payment in <div data-hakika="CHECKOUT_URL"></div>: asks every 3 s, 20 times (R2.6).
// No answer: no failure.
(function () {
  'use strict';
  var unknown = {
    en: 'We could not confirm this payment yet. Do not pay again. If a message from M-PESA says ' +
      'that you paid, your payment is safe. Check again in a few minutes, or ask the shop.',
    sw: 'Bado hatujathibitisha malipo haya. Usilipe tena. Ikiwa ujumbe wa M-PESA unasema umelipa, ' +
      'malipo yako yako salama. Angalia tena baada ya dakika chache, au uliza duka.'
  };

  function follow(box) {
    var ended, over, timer, asked, shown = box.dataset.status;

    function add(name, text, lang) {
      var child = box.appendChild(document.createElement(name));
      child.textContent = text;
      child.lang = lang;
      return child;
    }

    function show(status, words) {
      box.dataset.status = shown = status;
      box.textContent = '';
      add('p', words.en, 'en');
      add('p', words.sw, 'sw');
    }

    function take(state) {
      if (ended || over && !state.ended) return;
      if ((ended = state.ended)) clearInterval(timer);
      if (state.status == shown) return;
      show(state.status, state.words);
      if (state.receipt) add('p', 'M-PESA ' + state.receipt, '');
      box.dispatchEvent(new CustomEvent('hakika', { detail: state }));
    }

    function ask() {
      fetch(box.dataset.hakika + '/state', { cache: 'no-store' })
        .then(function (got) { return got.ok && got.json().then(take); })
        .catch(function () {});
    }

    function start() {
      asked = over = 0;
      timer = setInterval(function () {
        if (asked++ < 20) return ask();
        clearInterval(timer);
        over = 1;
        show('', unknown);
        add('button', 'Check again / Angalia tena', '').onclick = function () {
          this.remove();
          start();
          ask();
        };
      }, 3000);
    }

    ask();
    start();
  }

  [].forEach.call(document.querySelectorAll('[data-hakika]'), follow);
})();
