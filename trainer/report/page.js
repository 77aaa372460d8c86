// SPDX-License-Identifier: Apache-2.0
// Draws report.html from the JSON in its element #data (report_data.cc). Text is always set as
// text, never as markup: labels come from folders' names.
'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const byId = (id) => document.getElementById(id);
  const percent = (share, digits = 2) => `${(100 * share).toFixed(digits)}\u00a0%`;
  // Proven numbers are rounded down, bounds up: what stands here stays true.
  const down = (value, digits = 3) => (Math.floor(value * 10 ** digits) / 10 ** digits).toFixed(digits);
  const up = (value, digits = 7) => (Math.ceil(value * 10 ** digits) / 10 ** digits).toFixed(digits);
  const labels = data.class_labels;

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function table(attributes, head, rows) {
    const cells = (row, tag) => row.map((cell, i) =>
      element(tag, i === 0 ? {class: 'name'} : {}, String(cell)));
    return element('table', attributes,
      element('thead', {}, element('tr', {}, ...cells(head, 'th'))),
      element('tbody', {}, ...rows.map((row) => element('tr', {}, ...cells(row, 'td')))));
  }

  function showHeader() {
    document.title = `${data.name}: lipserve training report`;
    byId('name').textContent = data.name;
    const [channels, height, width] = data.input_shape;
    byId('summary').textContent =
      `${labels.length} classes, ${channels} × ${height} × ${width}, trained on ` +
      `${data.samples.train.toLocaleString('en')} images, measured on ` +
      `${data.evaluation.samples.toLocaleString('en')} that it was not trained on.`;
    for (const place of document.querySelectorAll('.unit')) {
      place.textContent = `pixels divided by ${data.pixel_divisor}.`;
    }
  }

  function showTiles() {
    const tile = (value, name) => byId('tiles').append(
      element('div', {class: 'tile'}, element('b', {}, value), element('span', {}, name)));
    tile(percent(data.evaluation.accuracy, 1), 'accuracy');
    for (const at of data.evaluation.certified_accuracy) {
      tile(percent(at.accuracy, 1), `certified at ${at.epsilon}`);
    }
    tile(down(data.evaluation.mean_radius_l2), 'mean radius, wrong = 0');
    tile(down(data.evaluation.median_radius_l2), 'median radius');
  }

  function showConfusion() {
    const matrix = element('table', {class: labels.length > 6 ? (labels.some((label) => label.length > 3) ? 'matrix many turned' : 'matrix many') : 'matrix'});
    matrix.append(element('thead', {}, element('tr', {}, element('th', {class: 'name'}, ''),
      ...labels.map((label) => element('th', {}, label)))));
    const body = element('tbody');
    data.evaluation.confusion.forEach((row, truth) => {
      const total = Math.max(1, row.reduce((sum, count) => sum + count, 0));
      body.append(element('tr', {}, element('th', {class: 'name'}, labels[truth]),
        ...row.map((count, answer) => element('td', {
          class: truth === answer ? 'right' : '',
          title: `${labels[truth]} answered as ${labels[answer]}: ${percent(count / total)}`,
          style: `background: rgba(var(--shade), ${(0.75 * Math.sqrt(count / total)).toFixed(3)})`,
        }, count === 0 ? '·' : String(count)))));
    });
    matrix.append(body);
    byId('confusion').append(matrix);
  }

  function showClasses() {
    const epsilons = data.evaluation.certified_accuracy.map((at) => `certified at ${at.epsilon}`);
    byId('classes').append(table({class: 'wide'},
      ['class', 'images', 'accuracy', ...epsilons, 'mean radius', 'median radius'],
      data.evaluation.classes.map((of, i) => [labels[i], of.samples, percent(of.accuracy),
        ...of.certified_accuracy.map((at) => percent(at.accuracy)),
        down(of.mean_radius_l2), down(of.median_radius_l2)])));
  }

  function showImages() {
    for (const name of ['least_robust', 'most_robust', 'mistakes']) {
      for (const image of data.images[name]) {
        const wrong = image.label !== image.answered;
        const caption = element('figcaption', {}, element('b', {}, down(image.radius_l2)),
          element('br'), element('span', {}, labels[image.label]));
        if (wrong) caption.append(' ', element('span', {class: 'wrong'}, `→ ${labels[image.answered]}`));
        byId(name).append(element('figure', {title: `image ${image.index} of the test set`},
          element('img', {src: image.png, alt: `${labels[image.label]}, image ${image.index}`}), caption));
      }
    }
    if (data.images.mistakes.length === 0) byId('mistakes').append('There are none.');
  }

  function showLayers() {
    byId('layers').append(table({class: 'wide'},
      ['layer', 'proven Lipschitz bound', 'largest singular value', 'smallest', 'how many'],
      data.layers.map((layer, i) => {
        const values = layer.singular_values;
        const shown = values.length > 0
          ? [values[0].toFixed(6), values[values.length - 1].toFixed(6), layer.singular_value_count]
          : ['–', '–', '–'];
        return [`${i}  ${layer.description}`, up(layer.lipschitz_bound), ...shown];
      })));
  }

  function showProvenance() {
    const add = (name, value, hash) => byId('provenance').append(
      element('dt', {}, name), element('dd', hash ? {class: 'hash'} : {}, String(value)));
    const seconds = data.history.map((epoch) => epoch.seconds || 0).reduce((a, b) => a + b, 0);
    add('model.lip', `SHA-256 ${data.digest_sha256}`, true);
    add('data', `SHA-256 ${data.dataset_sha256}`, true);
    add('images', Object.entries(data.samples).map(([name, count]) => `${count} ${name}`).join(', '));
    add('seed, threads', `${data.seed}, ${data.threads}`);
    add('epochs', `${data.history.length}; the model is that of epoch ${data.model_epoch}` +
      (data.selected ? ', selected by validation' : ''));
    add('time in epochs', `${seconds.toFixed(1)} s`);
    add('Lipschitz bound', `${up(data.evaluation.lipschitz_bound, 9)} of a score, proven`);
    const by = data.evaluation.decided_by;
    add('decided by', `float32: ${by.float32}, float64: ${by.float64}, exact integers: ${by.decided_by_exact}`);
    add('trainer', `lipserve-train ${data.trainer_version}`);
    if (data.samples.test === undefined) {
      add('note', 'Every epoch was measured on the images that the finished model is measured on.');
    }
    byId('recipe').textContent = data.recipe;
  }

  function showPublished() {
    if (!data.published) return;
    byId('published-note').textContent =
      `Points: what papers report on ${data.published.title}, with deterministic proofs.`;
    const curve = data.certified_curve;
    const here = (epsilon) => {
      const after = curve.find((point) => point[0] >= epsilon);
      return after ? percent(after[1]) : percent(0);
    };
    byId('published').append(element('details', {},
      element('summary', {}, `The ${data.published.points.length} published points`),
      table({}, ['method', 'ε', 'certified', 'this model', 'source'], data.published.points.map(
        (point) => [point.method, Number(point.epsilon.toFixed(4)), percent(point.accuracy),
          here(point.epsilon), point.source]))));
  }

  function showAttacks() {
    const attacks = data.evaluation.attacks;
    if (!attacks) return;
    byId('attacks-note').textContent = `Dashed: the share of ${attacks.samples} images, drawn at random, that ` +
      'DeepFool and projected gradient descent could not turn. For these images the truth lies between the two thin lines.';
    byId('attacks').append(element('details', {}, element('summary', {}, 'Certified \u2264 true \u2264 empirical'),
      table({}, ['\u03b5', 'certified', 'under attack'], attacks.accuracy.map(
        (at) => [at.epsilon, percent(at.certified), percent(at.empirical)]))));
  }

  // Charts. Colours come from the style sheet, so that both themes have their own.
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (i) => css(`--c${(i % 8) + 1}`);
  let charts = [];

  function options(xTitle, yTitle, extra = {}) {
    const axis = (title, more) => ({
      title: {display: true, text: title, color: css('--dim')},
      ticks: {color: css('--dim')}, grid: {color: css('--line'), borderColor: css('--line')}, ...more,
    });
    return {
      animation: false, maintainAspectRatio: false, responsive: true,
      interaction: {mode: 'nearest', intersect: false, axis: 'x', ...extra.interaction},
      scales: {x: axis(xTitle, {type: 'linear', ...extra.x}), y: axis(yTitle, extra.y)},
      plugins: {
        legend: {labels: {color: css('--ink'), usePointStyle: true, boxWidth: 8, boxHeight: 8, ...extra.labels}},
        tooltip: {callbacks: extra.tooltip || {}},
      },
    };
  }

  function draw(id, type, datasets, chartOptions, chartLabels) {
    charts.push(new Chart(byId(id), {type, data: {labels: chartLabels, datasets}, options: chartOptions}));
  }

  const line = (label, points, i, more = {}) => ({
    label, data: points.map(([x, y]) => ({x, y})), borderColor: colour(i), backgroundColor: colour(i),
    borderWidth: 2, pointRadius: 0, pointStyle: 'line', tension: 0, ...more,
  });

  function drawCertified() {
    const datasets = [line('this model', data.certified_curve, 0,
      {fill: 'origin', backgroundColor: `rgba(${css('--shade')}, 0.12)`, borderWidth: 2.5})];
    const attacked = data.attacked_curves;
    if (attacked) {
      const count = data.evaluation.attacks.samples;
      const stepped = {stepped: 'before', borderWidth: 1.5};
      datasets.push(line(`${count} images, certified`, attacked.certified, 5, stepped));
      datasets.push(line(`the same, under attack`, attacked.empirical, 4, {...stepped, borderDash: [6, 4]}));
    }
    let end = Math.max(...[data.certified_curve, attacked ? attacked.empirical : []].flat().map((point) => point[0]));
    if (data.published) {
      end = Math.max(end, ...data.published.points.map((point) => 1.04 * point.epsilon));
      const methods = [...new Set(data.published.points.map((point) => point.method))];
      const shapes = ['circle', 'rect', 'triangle', 'rectRot', 'star', 'crossRot'];
      methods.forEach((method, i) => {
        const points = data.published.points.filter((point) => point.method === method);
        datasets.push(line(method, points.map((point) => [point.epsilon, point.accuracy]), i + 1, {
          showLine: false, pointRadius: 6, pointHoverRadius: 8, pointStyle: shapes[i % shapes.length],
          pointBorderWidth: 2, clip: 8,
        }));
      });
    }
    draw('certified', 'line', datasets, options('ε, L2 radius in units of the input', 'certified accuracy', {
      x: {min: 0, max: end},
      y: {min: 0, max: 1, ticks: {color: css('--dim'), callback: (v) => `${Math.round(100 * v)} %`}},
      interaction: {mode: 'nearest', axis: 'xy'},
      tooltip: {
        title: (items) => items[0].dataset.label,
        label: (item) => `ε ${item.parsed.x.toFixed(3)}: ${percent(item.parsed.y)}`,
      },
    }));
  }

  function drawRadii() {
    const {bin_width: width, right, wrong} = data.radius_histogram;
    const bars = (label, counts, i) => ({
      label, data: counts.map((count, bin) => ({x: (bin + 0.5) * width, y: count})), backgroundColor: colour(i),
      barPercentage: 1, categoryPercentage: 0.94, stack: 'all', pointStyle: 'rect',
    });
    draw('radii', 'bar', [bars('right', right, 0), bars('wrong', wrong, 4)],
      options('certified L2 radius', 'images', {
        x: {min: 0, max: width * right.length, stacked: true, offset: false}, y: {stacked: true},
        tooltip: {title: (items) => `${(items[0].parsed.x - width / 2).toFixed(3)} to ` +
          `${(items[0].parsed.x + width / 2).toFixed(3)}`},
      }));
  }

  function drawHistory() {
    const epochs = data.history;
    const names = Object.keys(epochs[0] || {}).filter((name) => !['epoch', 'seconds'].includes(name));
    const series = (name) => epochs.map((epoch) => [epoch.epoch, epoch[name]]);
    const dots = {pointRadius: epochs.length < 30 ? 3 : 0, pointStyle: 'circle'};
    const train = {...dots, borderDash: [5, 4], borderWidth: 1.5};
    const x = {x: {min: 1, max: Math.max(2, epochs.length), ticks: {precision: 0, color: css('--dim')}}};
    draw('loss', 'line', [line('training', series('loss'), 1, train), line('validation', series('val_loss'), 0, dots)],
      options('epoch', 'loss', x));
    // Losses' parts have other scales than accuracies: they get an axis of their own.
    const isShare = (name) => /accuracy|certified/.test(name);
    const datasets = [];
    const shown = names.filter((name) => !name.endsWith('loss'));
    const kinds = [...new Set(shown.map((name) => name.replace(/^val_/, '')))];
    for (const name of shown) {
      const i = kinds.indexOf(name.replace(/^val_/, ''));
      datasets.push(line(name, series(name), i, {
        ...(name.startsWith('val_') ? dots : train), yAxisID: isShare(name) ? 'y' : 'other',
      }));
    }
    const chart = options('epoch', 'accuracy', x);
    if (shown.some((name) => !isShare(name))) {
      chart.scales.other = {position: 'right', title: {display: true, text: 'other', color: css('--dim')},
        ticks: {color: css('--dim')}, grid: {drawOnChartArea: false, borderColor: css('--line')}};
    }
    draw('metrics', 'line', datasets, chart);
    byId('loss-note').textContent = data.selected
      ? `The model is that of epoch ${data.model_epoch}, selected by validation.`
      : 'Per epoch. The model is that of the last one.';
  }

  function drawSpectra() {
    const datasets = [];
    data.layers.forEach((layer, i) => {
      const values = layer.singular_values;
      if (values.length === 0) return;
      const at = (k) => (values.length === 1 ? 0 : 100 * k / (values.length - 1));
      datasets.push(line(`${i}  ${layer.description}`, values.map((value, k) => [at(k), value]), datasets.length,
        {pointRadius: values.length < 2 ? 5 : 0, pointStyle: values.length < 2 ? 'circle' : 'line'}));
    });
    draw('spectra', 'line', datasets, options('position among the layer\u2019s singular values, %', 'singular value',
      {x: {min: 0, max: 100}, y: {min: 0}}));
  }

  function drawCharts() {
    for (const chart of charts) chart.destroy();
    charts = [];
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    drawCertified();
    drawRadii();
    drawHistory();
    drawSpectra();
  }

  function useTheme(dark) {
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    drawCharts();
  }

  showHeader();
  showTiles();
  showConfusion();
  showClasses();
  showImages();
  showLayers();
  showProvenance();
  showPublished();
  showAttacks();
  const prefersDark = matchMedia('(prefers-color-scheme: dark)');
  useTheme(prefersDark.matches);
  prefersDark.addEventListener('change', (event) => useTheme(event.matches));
  byId('theme').addEventListener('click', () =>
    useTheme(document.documentElement.dataset.theme !== 'dark'));
})();
