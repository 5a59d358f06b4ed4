/* Sorting and filtering of tables; without this script they stand as they were built. */
"use strict";

(function () {
  function value(row, column) {
    var cell = row.cells[column];
    var text = cell.getAttribute("data-value");
    if (text === null) {
      return cell.textContent.trim().toLowerCase();
    }
    return text === "" ? null : Number(text);
  }

  function compare(a, b) {
    if (typeof a === "string" || typeof b === "string") {
      return String(a).localeCompare(String(b), "en");
    }
    return a - b;
  }

  function sortable(table, status) {
    var heads = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
    var body = table.tBodies[0];
    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) {
        button.appendChild(head.firstChild);
      }
      head.appendChild(button);
      button.addEventListener("click", function () {
        var before = head.getAttribute("aria-sort");
        var first = head.getAttribute("data-first") || "ascending";
        var other = first === "ascending" ? "descending" : "ascending";
        var order = before === first ? other : first;
        heads.forEach(function (one) {
          one.removeAttribute("aria-sort");
        });
        head.setAttribute("aria-sort", order);
        var sign = order === "ascending" ? 1 : -1;
        var rows = Array.from(body.rows).map(function (row, place) {
          return { row: row, place: place, key: value(row, column) };
        });
        rows.sort(function (a, b) {
          if (a.key === null || b.key === null) {
            return (a.key === null) - (b.key === null) || a.place - b.place;
          }
          return sign * compare(a.key, b.key) || a.place - b.place;
        });
        rows.forEach(function (one) {
          body.appendChild(one.row);
        });
        status.textContent = "Sorted by " + button.textContent.trim() + ", " + order + ".";
      });
    });
  }

  function filterable(table, status) {
    var line = document.createElement("div");
    line.className = "filter";
    var label = document.createElement("label");
    label.textContent = "Show rows with ";
    var field = document.createElement("input");
    field.type = "search";
    label.appendChild(field);
    line.appendChild(label);
    var box = null;
    if (table.querySelector("tr.published") && table.querySelector("tbody tr:not(.published)")) {
      var choice = document.createElement("label");
      box = document.createElement("input");
      box.type = "checkbox";
      box.checked = true;
      choice.appendChild(box);
      choice.appendChild(document.createTextNode(" published rows, not computed here"));
      line.appendChild(choice);
      box.addEventListener("change", show);
    }
    field.addEventListener("input", show);
    line.appendChild(status);
    table.parentNode.parentNode.insertBefore(line, table.parentNode);

    function show() {
      var words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      var shown = 0;
      Array.from(table.tBodies[0].rows).forEach(function (row) {
        var text = row.textContent.toLowerCase();
        var fits = words.every(function (word) {
          return text.indexOf(word) >= 0;
        });
        row.hidden = !fits || (box !== null && !box.checked && row.classList.contains("published"));
        shown += row.hidden ? 0 : 1;
      });
      status.textContent = shown + " of " + table.tBodies[0].rows.length + " rows.";
    }
  }

  Array.from(document.querySelectorAll("table.board")).forEach(function (table) {
    var status = document.createElement("span");
    status.setAttribute("role", "status");
    status.className = "quiet";
    sortable(table, status);
    filterable(table, status);
  });
})();
