// The dashboard as Grafana takes it: its own types, put together for what is used here.

import type * as schema from "@grafana/schema";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as stateTimeline from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as timeSeries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** A type as JSON has it: the values of enums are plain texts. */
type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

/** A query as Grafana's data source for Prometheus takes it, whose types come with none of its packages. */
type Target = {
  refId: string;
  expr: string;
  legendFormat?: string;
  format?: "table";
  instant?: boolean;
  range?: boolean;
};

type Known<Kind extends string, Options, Custom> = Omit<schema.Panel, "type" | "options" | "fieldConfig" | "targets"> & {
  type: Kind;
  options: Options;
  targets: Target[];
  fieldConfig: Omit<schema.FieldConfigSource, "defaults"> & {
    defaults: Omit<schema.FieldConfig, "custom"> & { custom?: Custom };
  };
};

type Panel =
  | schema.RowPanel
  | Known<"stat", stat.Options, never>
  | Known<"state-timeline", stateTimeline.Options, stateTimeline.FieldConfig>
  | Known<"table", table.Options, Partial<table.FieldConfig>>
  | Known<"timeseries", timeSeries.Options, timeSeries.FieldConfig>;

/** An annotation that asks Prometheus. */
type Annotation = Omit<schema.AnnotationQuery, "target"> & {
  target: { refId: string; expr: string; interval: string };
  titleFormat: string;
  textFormat: string;
  tagKeys: string;
};

export type Dashboard = Json<
  Omit<schema.Dashboard, "panels" | "annotations"> & { panels: Panel[]; annotations: { list: Annotation[] } }
>;
