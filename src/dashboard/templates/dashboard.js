'use strict';
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);
  const make = (name, text, properties) => Object.assign(document.createElement(name), { textContent: text ?? '' }, properties);

  // light or dark: the reader's choice beats the system's, and is kept where the browser allows it
  const root = document.documentElement;
  const kept = (write) => { try { return write === undefined ? localStorage.getItem('theme') : localStorage.setItem('theme', write); } catch { return null; } };
  const dark = () => (root.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
  if (['light', 'dark'].includes(kept())) root.dataset.theme = kept();
  one('#theme').addEventListener('click', () => { root.dataset.theme = dark() ? 'light' : 'dark'; kept(root.dataset.theme); });

  // amounts, in whole cents
  const cents = (text) => Math.round(Number(text.replaceAll(',', '')) * 100);
  const money = (value) => {
    const digits = String(Math.abs(value)).padStart(3, '0');
    return (value < 0 ? '-' : '') + digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ',') + '.' + digits.slice(-2);
  };
  const counted = (count, noun) => `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;

  // sorting: by the numbers of a number column, else by its texts; what is empty comes last
  const number = (text) => Number(text.replace(/[ ,%]/g, ''));
  const sort = (table, place, direction) => {
    const head = table.tHead.rows[0].cells[place];
    const sign = direction === 'ascending' ? 1 : -1;
    const value = head.classList.contains('n') ? number : (text) => text;
    const compare = head.classList.contains('n') ? (a, b) => a - b : (a, b) => a.localeCompare(b, 'en', { numeric: true });
    const rows = [...table.tBodies[0].rows].map((row) => [row.cells[place].textContent, row]);
    rows.sort(([a], [b]) => (a === '' || b === '' ? (a === '') - (b === '') : sign * compare(value(a), value(b))));
    table.tBodies[0].append(...rows.map(([, row]) => row));
    all('th[aria-sort]', table.tHead).forEach((other) => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', direction);
  };
  document.addEventListener('click', (event) => {
    const head = event.target.closest('thead button')?.parentElement;
    if (!head) return;
    const first = head.classList.contains('n') ? 'descending' : 'ascending';
    const other = first === 'ascending' ? 'descending' : 'ascending';
    sort(head.closest('table'), head.cellIndex, head.getAttribute('aria-sort') === first ? other : first);
  });

  // filters: each table obeys those whose column it has
  const text = one('#filter-text');
  const chosen = all('.filters select');
  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const control of [...chosen, text]) control.classList.toggle('set', control.value !== '');
    one('#clear').hidden = [...chosen, text].every((control) => control.value === '');
    for (const table of all('table.sheet').filter((table) => !table.closest('#statement'))) {
      const heads = [...table.tHead.rows[0].cells];
      const tests = words.map((word) => (row) => row.textContent.toLowerCase().includes(word));
      for (const select of chosen) {
        const place = heads.findIndex((head) => head.dataset.column === select.dataset.column);
        if (select.value && place >= 0) tests.push((row) => row.cells[place].textContent === select.value);
      }
      const rows = [...table.tBodies[0].rows];
      let shown = 0;
      for (const row of rows) {
        row.hidden = !tests.every((test) => test(row));
        shown += row.hidden ? 0 : 1;
      }
      table.classList.toggle('filtered', tests.length > 0);
      const size = one('.size', table.closest('details, .block'));
      size.dataset.all ??= size.textContent;
      size.textContent = tests.length ? `${shown.toLocaleString('en-US')} of ${size.dataset.all}` : size.dataset.all;
      if (!table.tFoot) continue;
      table.tFoot.rows[0].cells[0].textContent = tests.length ? 'shown' : 'in all';
      for (const cell of all('[data-total]', table.tFoot)) {
        const sum = () => rows.filter((row) => !row.hidden).reduce((sum, row) => sum + (cents(row.cells[cell.cellIndex].textContent) || 0), 0);
        cell.textContent = tests.length ? money(sum()) : cell.dataset.total;
      }
    }
  };
  [...chosen, text].forEach((control) => control.addEventListener('input', filter));
  one('#clear').addEventListener('click', () => { one('.filters').reset(); filter(); text.focus(); });
  all('form').forEach((form) => form.addEventListener('submit', (event) => event.preventDefault()));

  // charts: one place in the tab order each, arrows go on from there; what is pointed at or reached shows its values
  const tip = one('#tip');
  const show = (hit) => {
    tip.textContent = hit.getAttribute('aria-label');
    tip.hidden = false;
    const place = hit.getBoundingClientRect();
    const left = Math.min(place.right + 8, innerWidth - tip.offsetWidth - 8);
    const beside = place.width > innerWidth / 3 ? Math.max(8, place.left + place.width / 2 - tip.offsetWidth / 2) : left < place.right ? Math.max(8, place.left - tip.offsetWidth - 8) : left;
    const under = place.width > innerWidth / 3 ? place.bottom + 6 : place.top;
    tip.style.left = `${beside}px`;
    tip.style.top = `${Math.max(8, Math.min(under, innerHeight - tip.offsetHeight - 8))}px`;
  };
  const hide = () => { tip.hidden = true; };
  for (const chart of all('svg.chart')) {
    const hits = all('.hit', chart);
    hits.forEach((hit, index) => {
      // the browser's own tooltip would stand beside ours
      const title = one('title', hit);
      hit.setAttribute('aria-label', title.textContent);
      title.remove();
      hit.addEventListener('pointerenter', () => show(hit));
      hit.addEventListener('pointerleave', hide);
      hit.addEventListener('focus', () => show(hit));
      hit.addEventListener('blur', hide);
      hit.addEventListener('keydown', (event) => {
        const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -index, End: hits.length - 1 - index };
        if (event.key === 'Escape') hide();
        if (!(event.key in steps)) return;
        event.preventDefault();
        const next = hits[Math.min(hits.length - 1, Math.max(0, index + steps[event.key]))];
        hit.setAttribute('tabindex', '-1');
        next.setAttribute('tabindex', '0');
        next.focus();
      });
    });
  }
  // a place that is reached by keyboard is scrolled into sight, and still tells its values
  addEventListener('scroll', () => {
    const hit = document.activeElement.closest('.hit');
    if (hit) show(hit); else hide();
  }, { passive: true });
  for (const select of all('.which select')) {
    const drawings = all('svg', document.getElementById(select.getAttribute('aria-controls')));
    select.addEventListener('input', () => drawings.forEach((drawing, index) => drawing.toggleAttribute('hidden', index !== Number(select.value))));
  }

  // a customer's statement
  const packed = JSON.parse(one('#statements').textContent);
  const customers = new Map(packed.customers.map((customer) => [customer.id, customer]));
  const named = new Map();
  for (const customer of packed.customers) {
    named.set([customer.name || '(no name)', customer.id || '(no id)'].join(' · '), customer);
  }
  one('#customer-names').append(...[...named.keys()].sort().map((name) => make('option', '', { value: name })));
  const FIELDS = 9;
  const HEADS = [['day'], ['event'], ['store'], ['record'], ['service'], ['detail'], ['currency'], ['amount', 'n'], ['amount USD', 'n']];
  const events = (customer) => {
    let day = 0;
    const rows = [];
    for (let at = 0; at < customer.events.length; at += FIELDS) {
      const [step, event, store, record, service, detail, currency, amount, usd] = customer.events.slice(at, at + FIELDS);
      if (step !== null) day += step;
      const text = (place) => packed.texts[place];
      const date = step === null ? '' : new Date(day * 86400000).toISOString().slice(0, 10);
      const amounts = [amount, usd].map((value) => (value === null ? '' : money(value)));
      rows.push([date, text(event), text(store), record, text(service), text(detail), text(currency), ...amounts]);
    }
    return rows;
  };
  const body = one('#statement-body');
  const input = one('#customer');
  const state = (customer) => {
    const rows = events(customer);
    const table = make('table', '', { className: 'sheet' });
    const head = table.createTHead().insertRow();
    HEADS.forEach(([label, kind]) => {
      const cell = make('th', '', { scope: 'col', className: kind ?? '' });
      cell.append(make('button', label, { type: 'button' }));
      head.append(cell);
    });
    const lines = table.createTBody();
    for (const row of rows) {
      const line = lines.insertRow();
      row.forEach((text, place) => line.append(make('td', text, { className: HEADS[place][1] ?? '' })));
    }
    const scroll = make('div', '', { className: 'scroll', tabIndex: 0 });
    scroll.setAttribute('role', 'region');
    scroll.setAttribute('aria-label', 'Statement');
    scroll.append(table);
    const sums = make('dl', '', { className: 'sums' });
    for (const [store, live, mrr, revenue, commission] of customer.sums) {
      for (const [label, value] of [
        [`store ${store}: live subscriptions`, String(live)], ['MRR', `${money(mrr)} USD`],
        ['revenue, 365 days', `${money(revenue)} USD`], ['commission, 365 days', `${money(commission)} USD`],
      ]) {
        const pair = make('div');
        pair.append(make('dt', label), make('dd', value));
        sums.append(pair);
      }
    }
    const of = rows.length < customer.all ? `${counted(rows.length, 'event')} of ${customer.all.toLocaleString('en-US')}, those since ${packed.since}. ` : `${counted(rows.length, 'event')}. `;
    const command = customer.id ? `storemirror report customer_statement --param customer=${customer.id}` : 'storemirror report customer_statement';
    const size = make('p', of, { className: 'lead' });
    size.append(make('code', command));
    body.replaceChildren(make('h4', customer.name || '(no name)'), sums, size, scroll);
    one('#print-statement').hidden = false;
    document.body.classList.add('stated');
  };
  const nothing = (message) => { body.replaceChildren(make('p', message, { className: 'nothing' })); one('#print-statement').hidden = true; document.body.classList.remove('stated'); };
  input.addEventListener('input', () => {
    const typed = input.value.trim().toLowerCase();
    const found = [...named].filter(([name]) => name.toLowerCase().includes(typed)).map(([, customer]) => customer);
    if (!typed) return nothing('Choose a customer.');
    const exact = named.get(input.value.trim()) ?? (found.length === 1 ? found[0] : undefined);
    if (exact) state(exact); else nothing(found.length ? `${counted(found.length, 'customer')} match; go on typing.` : 'No customer matches.');
  });
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-customer]');
    if (!button) return;
    const customer = customers.get(button.dataset.customer);
    input.value = button.textContent;
    if (customer) state(customer); else nothing('Nothing is known of this customer.');
    one('#customers').scrollIntoView();
    input.focus({ preventScroll: true });
  });
  one('#print-statement').addEventListener('click', () => { document.body.classList.add('only-statement'); print(); });
  addEventListener('afterprint', () => document.body.classList.remove('only-statement'));
})();
