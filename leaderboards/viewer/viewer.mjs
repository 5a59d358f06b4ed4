/* Turns an object in 3D, prediction and truth side by side; both turn together.

   Every figure with data gets a button. The data of an object is a classic script that calls
   benchObject(name, meshes), loaded when asked for: pages that lie in a folder may load scripts,
   but no other files. */

import {
  AmbientLight, BufferAttribute, BufferGeometry, Color, DirectionalLight, DoubleSide, Mesh,
  MeshLambertMaterial, PerspectiveCamera, Scene, Vector3, WebGLRenderer,
} from "three";

const DEGREE = Math.PI / 180;
const waiting = new Map();

window.benchObject = function (name, meshes) {
  const done = waiting.get(name);
  if (done) {
    waiting.delete(name);
    done(meshes);
  }
};

function load(file) {
  return new Promise(function (resolve, reject) {
    waiting.set(file, resolve);
    const script = document.createElement("script");
    script.src = file;
    script.onerror = function () {
      waiting.delete(file);
      reject(new Error("the file of this object is missing"));
    };
    document.head.appendChild(script);
  });
}

function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/* Corners are whole numbers from 0 to 65535 over the cube -half to half. */
function geometry(data) {
  const places = new Uint16Array(bytes(data.vertices).buffer);
  const Whole = data.wide ? Uint32Array : Uint16Array;
  const corners = new Whole(bytes(data.faces).buffer);
  const values = new Float32Array(corners.length * 3);
  for (let n = 0; n < corners.length; n += 1) {
    for (let axis = 0; axis < 3; axis += 1) {
      const place = places[corners[n] * 3 + axis];
      values[n * 3 + axis] = (place / 65535) * 2 * data.half - data.half;
    }
  }
  const found = new BufferGeometry();
  found.setAttribute("position", new BufferAttribute(values, 3));
  found.computeVertexNormals(); /* corners are not shared: flat faces */
  return found;
}

function sceneOf(data, colour) {
  const scene = new Scene();
  scene.background = new Color(0xffffff);
  scene.add(new AmbientLight(0xffffff, 1.4));
  const light = new DirectionalLight(0xffffff, 2.2);
  light.position.set(0.4, 1, 0.6);
  scene.add(light);
  if (data) {
    scene.add(new Mesh(geometry(data), new MeshLambertMaterial({ color: colour, side: DoubleSide })));
  }
  return scene;
}

function view(panel, canvas, meshes) {
  const renderer = new WebGLRenderer({ canvas, antialias: true, preserveDrawingBuffer: true });
  const scenes = [sceneOf(meshes.prediction, 0xd9d9d9), sceneOf(meshes.truth, 0xbfd9ff)];
  const camera = new PerspectiveCamera(30, 1, 0.05, 50);
  const start = { azimuth: meshes.azimuth, elevation: 30, distance: 2.732 };
  let pose = { ...start };

  function draw() {
    const width = canvas.clientWidth, height = canvas.clientHeight;
    renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
    renderer.setSize(width, height, false);
    const up = pose.elevation * DEGREE, round = pose.azimuth * DEGREE;
    camera.position.set(
      pose.distance * Math.cos(up) * Math.cos(round),
      pose.distance * Math.sin(up),
      pose.distance * Math.cos(up) * Math.sin(round),
    );
    camera.lookAt(new Vector3());
    camera.aspect = width / 2 / height;
    camera.updateProjectionMatrix();
    renderer.setScissorTest(true);
    scenes.forEach(function (scene, side) {
      renderer.setViewport((side * width) / 2, 0, width / 2, height);
      renderer.setScissor((side * width) / 2, 0, width / 2, height);
      renderer.render(scene, camera);
    });
    canvas.dataset.pose = [pose.azimuth, pose.elevation, pose.distance]
      .map((value) => value.toFixed(2)).join(" ");
  }

  function turn(azimuth, elevation, factor) {
    pose.azimuth = (pose.azimuth + azimuth) % 360;
    pose.elevation = Math.max(-89, Math.min(89, pose.elevation + elevation));
    pose.distance = Math.max(1, Math.min(8, pose.distance * factor));
    draw();
  }

  const pointers = new Map();
  canvas.addEventListener("pointerdown", function (event) {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  canvas.addEventListener("pointermove", function (event) {
    const before = pointers.get(event.pointerId);
    if (!before) {
      return;
    }
    const now = [event.clientX, event.clientY];
    const other = [...pointers.entries()].find(([id]) => id !== event.pointerId);
    if (other) {
      const gap = (at) => Math.hypot(at[0] - other[1][0], at[1] - other[1][1]) || 1;
      turn(0, 0, gap(before) / gap(now));
    } else {
      turn((now[0] - before[0]) * 0.6, (now[1] - before[1]) * 0.6, 1);
    }
    pointers.set(event.pointerId, now);
  });
  ["pointerup", "pointercancel"].forEach(function (name) {
    canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
  });
  canvas.addEventListener("wheel", function (event) {
    event.preventDefault();
    turn(0, 0, event.deltaY > 0 ? 1.1 : 1 / 1.1);
  }, { passive: false });
  canvas.addEventListener("keydown", function (event) {
    const steps = {
      ArrowLeft: [-15, 0, 1], ArrowRight: [15, 0, 1], ArrowUp: [0, 10, 1], ArrowDown: [0, -10, 1],
      "+": [0, 0, 1 / 1.2], "=": [0, 0, 1 / 1.2], "-": [0, 0, 1.2],
    };
    if (event.key === "Home") {
      pose = { ...start };
      draw();
    } else if (steps[event.key]) {
      turn(...steps[event.key]);
    } else {
      return;
    }
    event.preventDefault();
  });
  window.addEventListener("resize", draw);
  draw();
  return function () {
    window.removeEventListener("resize", draw);
    renderer.dispose();
    renderer.forceContextLoss(); /* browsers keep few contexts */
  };
}

let close = null; /* of the one object that is open */

function open(figure, button) {
  if (close) {
    close();
  }
  const panel = document.createElement("div");
  panel.className = "viewer";
  const words = document.createElement("p");
  words.className = "quiet";
  words.setAttribute("role", "status");
  words.textContent = "Reading ...";
  panel.appendChild(words);
  figure.appendChild(panel);
  button.textContent = "Close";
  button.setAttribute("aria-expanded", "true");
  let stop = null;
  close = function () {
    if (stop) {
      stop();
    }
    panel.remove();
    button.textContent = "Turn in 3D";
    button.setAttribute("aria-expanded", "false");
    close = null;
  };
  const mine = close;
  load(figure.dataset.mesh).then(function (meshes) {
    if (close !== mine) {
      return;
    }
    const canvas = document.createElement("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "prediction on the left, truth on the right; " +
      "arrow keys turn, plus and minus zoom, Home goes back");
    panel.insertBefore(canvas, words);
    stop = view(panel, canvas, meshes);
    words.textContent = "Left the prediction" + (meshes.prediction ? "" : " (there is none)") +
      ", right the truth" + (meshes.truth ? "" : " (there is none)") +
      ". Drag or use the arrow keys to turn, the wheel or + and - to zoom, Home to go back.";
    canvas.focus();
  }).catch(function (error) {
    words.textContent = "This cannot be shown: " + error.message + ".";
  });
}

document.querySelectorAll("figure[data-mesh]").forEach(function (figure) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Turn in 3D";
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", function () {
    if (button.getAttribute("aria-expanded") === "true") {
      close();
    } else {
      open(figure, button);
    }
  });
  figure.appendChild(button);
});

document.addEventListener("keydown", function (event) {
  if (event.key === "Escape" && close) {
    close();
  }
});
