// The part of an error page that shows any frame. Texts from data reach the page as text, never as HTML.
(function () {
  "use strict";
  const about = JSON.parse(document.getElementById("about").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const PAGE_ROWS = 100;
  const byId = (id) => document.getElementById(id);
  const [NAME, CATEGORY, FOUND, WRONG, MISSED, LOST] = [0, 1, 2, 3, 4, 5];
  let index = [];
  let listed = [];
  let numShown = 0;
  let current = -1;
  const chunks = new Map();

  function loadScript(address, failed) {
    const script = document.createElement("script");
    script.src = address;
    script.onerror = failed;
    document.head.append(script);
  }

  function say(text) {
    byId("said").textContent = text;
    byId("said").hidden = !text;
  }

  window.errorPage = {
    index(rows) {
      index = rows;
      byId("viewer").hidden = index.length === 0;
      list();
      followHash();
    },
    frames(number, rows) {
      chunks.set(number, rows);
      if (current >= 0 && Math.floor(current / about.chunk_frames) === number) show();
    },
  };

  // The list
  const compare = {
    errors: (a, b) => index[b][WRONG] + index[b][MISSED] - index[a][WRONG] - index[a][MISSED] || index[b][LOST] - index[a][LOST],
    wrong: (a, b) => index[b][WRONG] - index[a][WRONG] || index[b][LOST] - index[a][LOST],
    missed: (a, b) => index[b][MISSED] - index[a][MISSED] || index[b][LOST] - index[a][LOST],
    lost: (a, b) => index[b][LOST] - index[a][LOST],
    name: (a, b) => (index[a][NAME] < index[b][NAME] ? -1 : index[a][NAME] > index[b][NAME] ? 1 : 0),
    order: (a, b) => a - b,
  };

  function list() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const category = byId("category").value;
    listed = [];
    index.forEach((row, number) => {
      const name = row[NAME].toLowerCase();
      if ((category === "" || String(row[CATEGORY]) === category) && words.every((word) => name.includes(word))) listed.push(number);
    });
    const order = compare[byId("order").value];
    listed.sort((a, b) => order(a, b) || a - b);
    byId("matches").textContent = listed.length === 1 ? "1 frame" : `${listed.length} frames`;
    byId("list").replaceChildren();
    byId("list").scrollTop = 0;
    numShown = 0;
    listMore();
  }

  function listMore() {
    const rows = listed.slice(numShown, numShown + PAGE_ROWS).map((number) => {
      const row = index[number];
      const button = document.createElement("button");
      const small = document.createElement("small");
      button.type = "button";
      button.dataset.number = number;
      button.textContent = row[NAME] || "(no name)";
      small.textContent = `${row[WRONG]} wrong, ${row[MISSED]} missed, ${row[FOUND]} found`;
      button.append(small);
      button.onclick = () => select(number);
      const item = document.createElement("li");
      item.append(button);
      return item;
    });
    byId("list").append(...rows);
    numShown += rows.length;
    mark();
  }

  function mark() {
    for (const button of byId("list").querySelectorAll("button")) {
      button.setAttribute("aria-current", String(Number(button.dataset.number) === current));
    }
    const place = listed.indexOf(current);
    byId("previous").disabled = place <= 0;
    byId("next").disabled = place + 1 >= listed.length;
  }

  // One frame
  function select(number) {
    current = number;
    try {
      history.replaceState(null, "", `#frame=${encodeURIComponent(index[number][NAME])}`);
    } catch (error) {
      // the address of the page stays as it is, for a name that no address can hold
    }
    mark();
    const chunk = Math.floor(number / about.chunk_frames);
    if (chunks.has(chunk)) {
      show();
    } else {
      const file = `frames/${String(chunk).padStart(3, "0")}.js`;
      loadScript(file, () => say(`${file} is missing beside this page. It belongs to the report.`));
    }
  }

  function move(step) {
    const place = listed.indexOf(current) + step;
    if (place >= 0 && place < listed.length) {
      while (place >= numShown) listMore();
      select(listed[place]);
      const button = byId("list").querySelector("button[aria-current=true]");
      if (button) button.scrollIntoView({ block: "nearest" });
    }
  }

  function show() {
    const row = index[current];
    const frame = chunks.get(Math.floor(current / about.chunk_frames))[current % about.chunk_frames];
    const [address, width, height] = frame;
    const category = row[CATEGORY] < 0 ? "" : `${about.categories[row[CATEGORY]]}: `;
    byId("frame-name").textContent = row[NAME] || "(no name)";
    byId("frame-counts").textContent = `${category}${row[WRONG]} wrong, ${row[MISSED]} missed, ${row[FOUND]} found`;
    byId("stage").hidden = false;
    say("");
    const canvas = byId("canvas");
    canvas.replaceChildren();
    canvas.classList.remove("absent");
    const drawing = draw(frame);
    fit(canvas, drawing, width, height);
    if (address === null) {
      canvas.classList.add("absent");
      say("This frame has no picture file.");
    } else {
      canvas.append(picture(canvas, drawing, address, width, height));
    }
    canvas.append(drawing);
    tabulate(frame);
  }

  function picture(canvas, drawing, address, width, height) {
    const image = document.createElement("img");
    image.alt = "";
    image.onerror = () => {
      if (!image.isConnected) return;
      canvas.classList.add("absent");
      say(`No picture to show at ${address} as seen from this page.`);
    };
    image.onload = () => {
      const [across, down] = [image.naturalWidth, image.naturalHeight];
      if (!image.isConnected || (across === width && down === height)) return;
      if (across === height && down === width) {
        say("This picture is shown turned: browsers follow its EXIF orientation, labels are in the pixels as stored.");
      } else {
        fit(canvas, drawing, across, down);  // lanes are in pixels of the picture itself
      }
    };
    image.src = address;
    return image;
  }

  function fit(canvas, drawing, width, height) {
    canvas.style.aspectRatio = `${Math.max(width, 1)} / ${Math.max(height, 1)}`;
    drawing.setAttribute("viewBox", `0 0 ${Math.max(width, 1)} ${Math.max(height, 1)}`);
  }

  function draw([, , , labels, predicted]) {
    const drawing = document.createElementNS(SVG, "svg");
    const layers = [
      ["label", "of-label", labels.filter((lane) => lane[1])],
      ["tp", "of-prediction", predicted.filter((lane) => lane[1])],
      ["fp", "of-prediction", predicted.filter((lane) => !lane[1])],
      ["fn", "of-label", labels.filter((lane) => !lane[1])],
    ];
    for (const [kind, layer, lanes] of layers) {
      const group = document.createElementNS(SVG, "g");
      group.setAttribute("class", layer);
      for (const style of ["rim", kind]) {
        for (const lane of lanes) {
          const points = lane[lane.length - 1];
          if (points.length === 0) continue;
          const line = document.createElementNS(SVG, "polyline");
          line.setAttribute("class", style);
          line.setAttribute("points", (points.length > 2 ? points : [...points, ...points]).join(" "));
          group.append(line);
        }
      }
      drawing.append(group);
    }
    return drawing;
  }

  function tabulate([, , , labels, predicted]) {
    const rows = labels.map(([slot, found, partner, iou]) => [
      slot ? `label, slot ${slot}` : "label",
      found ? "found" : "missed",
      partner < 0 ? "-" : iou.toFixed(3),
      partner < 0 ? "-" : predicted[partner][2].toFixed(2),
      found ? "good" : "warn",
    ]);
    for (const [slot, hit, confidence] of predicted) {
      if (!hit) rows.push([slot ? `prediction, slot ${slot}` : "prediction", "wrong", "", confidence.toFixed(2), "bad"]);
    }
    byId("lanes").replaceChildren(
      ...rows.map(([what, fate, iou, confidence, kind]) => {
        const line = document.createElement("tr");
        for (const text of [what, fate, iou, confidence]) {
          const cell = document.createElement("td");
          cell.textContent = text;
          if (text === fate) cell.className = kind;
          line.append(cell);
        }
        return line;
      })
    );
  }

  // #frame=NAME or, for links within the page, #number=PLACE IN THE LIST
  function followHash() {
    const [, kind, value] = /^#(frame|number)=(.*)$/.exec(location.hash) || [];
    if (!kind || index.length === 0) return;
    let name = null;
    try {
      name = decodeURIComponent(value);
    } catch (error) {
      // no name of a frame
    }
    const number = kind === "number" ? Number(value) : index.findIndex((row) => row[NAME] === name);
    if (!(number in index)) {
      say("The address of this page names a frame that is not in this report.");
    } else {
      select(number);
      byId("frames").scrollIntoView();
    }
  }

  for (const id of ["order", "category"]) byId(id).onchange = list;
  byId("search").oninput = list;
  byId("list").onscroll = (event) => {
    const box = event.target;
    if (box.scrollTop + box.clientHeight > box.scrollHeight - 200 && numShown < listed.length) listMore();
  };
  byId("previous").onclick = () => move(-1);
  byId("next").onclick = () => move(1);
  for (const kind of ["label", "prediction"]) {
    byId(`show-${kind}`).onchange = (event) => byId("canvas").classList.toggle(`hide-${kind}`, !event.target.checked);
  }
  window.addEventListener("hashchange", followHash);
  loadScript("frames/index.js", () => say("frames/index.js is missing beside this page. It belongs to the report."));
})();
