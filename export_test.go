package sluice

// DebugBuild says that the checks of the debug build are on, which allocate.
const DebugBuild = debugBuild
