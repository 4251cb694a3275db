// What Streamlit leaves out. Without this script the site still works: links load the page anew,
// and figures show their light drawing.
(() => {
  if (window.arenaLab) return
  window.arenaLab = true

  // Figures follow the colour mode without asking the server.
  const app = document.querySelector(".stApp")
  const follow = () => {
    document.documentElement.dataset.labTheme = getComputedStyle(app).colorScheme
  }
  new MutationObserver(follow).observe(app, { attributes: true, attributeFilter: ["class"] })
  follow()

  // Links within the site change the page in place: Streamlit answers to the browser's history.
  const column = () => document.querySelector('[data-testid="stMain"]')
  const tops = new Map() // where the reader was, by the place in the history
  let here = history.state?.labPlace ?? 0
  let last = here
  history.replaceState({ ...history.state, labPlace: here }, "")

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="?"]')
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return
    event.preventDefault()
    tops.set(here, column().scrollTop)
    here = last += 1
    history.pushState({ labPlace: here }, "", link.getAttribute("href"))
    dispatchEvent(new PopStateEvent("popstate"))
  })

  // On a phone the sidebar lies over the page: a link in it closes it.
  document.addEventListener("click", (event) => {
    if (innerWidth < 768 && event.target.closest?.(".lab-nav a"))
      document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click()
  })

  addEventListener("popstate", () => {
    const place = history.state?.labPlace
    if (place === undefined) {
      // An anchor of this page was clicked: the browser scrolls by itself.
      here = last += 1
      history.replaceState({ ...history.state, labPlace: here }, "")
      return
    }
    if (place !== here) tops.set(here, column().scrollTop)
    here = place
    arrive(tops.get(here))
  })

  // Once the new page is there, go to where the reader was, to its anchor, or to its top.
  const arrive = (top) => {
    const search = location.search
    const until = performance.now() + 3000
    const look = () => {
      if (location.search !== search) return
      const isThere = document.querySelector("[data-here]")?.dataset.here === (search || "?")
      if (!isThere && performance.now() < until) return requestAnimationFrame(look)
      const anchor = document.getElementById(decodeURIComponent(location.hash.slice(1)))
      if (top !== undefined || !anchor) return column().scrollTo(0, top ?? 0)
      anchor.scrollIntoView()
      // What stands above may still have grown, unless the reader has gone on.
      const after = column().scrollTop
      setTimeout(() => Math.abs(column().scrollTop - after) < 2 && anchor.scrollIntoView(), 700)
    }
    look()
  }
  if (location.hash) arrive()
})()
