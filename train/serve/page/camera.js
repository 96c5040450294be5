// A photo by the camera, as it sees: what is shown is mirrored, what is taken is not.

const find = (selector) => document.querySelector(selector);

// A photo as a blob, or null where the person thinks better of it. Raises Error where there is no camera.
export async function shoot() {
  const stream = await opened();
  const [dialog, video] = [find("#viewfinder"), find("#video")];
  video.srcObject = stream;
  dialog.returnValue = "";
  dialog.showModal();
  try {
    return await new Promise((resolve) => {
      find("#shoot").onclick = () => still(video).then(resolve);
      find("#cancel").onclick = () => dialog.close();
      dialog.addEventListener("close", () => resolve(null), { once: true });
    });
  } finally {
    stream.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
    if (dialog.open) dialog.close();
  }
}

async function opened() {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 }, facingMode: "user" } });
  } catch (error) {
    const why = error.name === "NotAllowedError" ? "the browser may not use the camera" : "no camera is here";
    throw new Error(`${why}: choose a file`);
  }
}

async function still(video) {
  if (video.readyState < 2) await new Promise((ready) => video.addEventListener("loadeddata", ready, { once: true }));
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((made) => canvas.toBlob(made, "image/jpeg", 0.95));
}
